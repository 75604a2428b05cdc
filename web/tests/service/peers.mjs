// The far ends that are no part of Cordboard: an agent's telephone (baresip), a relay (coturn), and a NAT.
import { createSocket } from 'node:dgram';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, scratch, start } from './cordboard.mjs';
import { narrow, readWav } from './sound.mjs';
import { until } from './waiting.mjs';

/** A telephone that answers by itself, says a sound from then on, and keeps both sides. As tests/outside runs it. */
export async function baresip(user, wav) {
  const folder = scratch();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'says.wav'), wav);
  const [sip, control] = [`127.0.0.1:${await freePort()}`, await freePort()];
  writeFileSync(join(folder, 'config'), `sip_listen ${sip}
audio_source aufile,${folder}/says.wav
audio_player aubridge,nowhere
audio_alert aubridge,nobody
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports 31000-31999
snd_path ${folder}
ctrl_tcp_listen 127.0.0.1:${control}
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
`);
  writeFileSync(join(folder, 'accounts'), `<sip:${user}@${sip}>;regint=0;answermode=auto;audio_codecs=PCMU,PCMA;ptime=20\n`);
  writeFileSync(join(folder, 'contacts'), '');
  const program = start('baresip', ['-f', folder], { cwd: folder, log: join(folder, 'baresip.log') });
  const line = await until('baresip’s control port', () => new Promise((done) => {
    const socket = connect(control, '127.0.0.1', () => done(socket)).on('error', () => done(null));
  }), 15_000);
  line.on('error', () => {}).resume();
  const file = (side) => readdirSync(folder).filter((name) => name.endsWith(`-${side}.wav`)).sort().at(-1);
  return {
    uri: `sip:${user}@${sip}`,
    command(name, params = '') {
      const text = JSON.stringify({ command: name, params });
      line.write(`${text.length}:${text},`);
    },
    /** What it has said or heard in its last call, 8 kHz: "enc" or "dec". */
    recording(side) {
      const { rate, channels } = readWav(join(folder, file(side)));
      return narrow(channels[0], rate);
    },
    /** When the first sample of a side was, by the clock of this machine: the file grows as the sound comes. */
    async began(side, looks = 60) {
      let first = Infinity;
      let size = 0;
      for (let n = 0; n < looks;) {
        const now = statSync(join(folder, file(side))).size;
        if (now > size) {
          size = now;
          n += 1;
          first = Math.min(first, Date.now() - (now - 44) / 16);
        }
        await new Promise((done) => setTimeout(done, 5));
      }
      return first;
    },
    close: () => program.kill(),
  };
}

/** A relay whose way can be stopped and goes on. */
export async function coturn() {
  const port = await freePort();
  const folder = scratch();
  const args = [
    '-n', '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`, '--no-tls', '--no-dtls', '--no-cli',
    '--lt-cred-mech', '--user=caller:0123456789abcdef', '--realm=cordboard', '--allow-loopback-peers', '--log-file=stdout', '--simple-log',
    `--pidfile=${join(folder, 'pid')}`, `--userdb=${join(folder, 'db')}`, '--min-port=33000', '--max-port=33999',
  ];
  const program = start('turnserver', args, { cwd: folder, log: join(folder, 'log') });
  await until('coturn', () => new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); done(true); }).on('error', () => done(false));
  }), 10_000);
  const url = `turn:127.0.0.1:${port}?transport=udp`;
  return {
    url,
    settings: `[[browser.ice_servers]]\nurls = ["${url}"]\nusername = "caller"\ncredential = "0123456789abcdef"\n`,
    stop: () => program.child.kill('SIGSTOP'),
    goOn: () => program.child.kill('SIGCONT'),
    close: () => { program.child.kill('SIGCONT'); return program.kill(); },
  };
}

const bound = (got) => new Promise((done) => {
  const socket = createSocket('udp4').on('message', got);
  socket.bind(0, '127.0.0.1', () => done(socket));
});

/** A NAT between one browser and the service: `rebind` gives the browser another port, and nothing comes by the old one. */
export async function nat() {
  let browser = null;
  let service = null;
  let outer = null;
  const inner = await bound((data, from) => {
    browser = from.port;
    if (service !== null) outer.send(data, service, '127.0.0.1');
  });
  const rebind = async () => {
    const old = outer;
    const next = await bound((data) => outer === next && browser !== null && inner.send(data, browser, '127.0.0.1'));
    outer = next;
    return old;
  };
  const old = [await rebind()];
  return {
    /** The port that the browser reaches in place of the service's. */
    towards: (port) => { service = port; return inner.address().port; },
    rebind: async () => void old.push(await rebind()),
    close: () => { for (const socket of [inner, outer, ...old]) socket?.close(); },
  };
}

/** Runs in the page: the service is found by the NAT alone, and the browser by what comes from there. */
export const BEHIND_NAT = `{
  const Peer = window.RTCPeerConnection;
  const moved = (candidate, port) => candidate.replace(/^(candidate:(?:\\S+ ){5})\\d+/, '$1' + port);
  window.RTCPeerConnection = class extends Peer {
    async addIceCandidate(candidate) {
      if (!candidate?.candidate) return super.addIceCandidate(candidate);
      const port = await window.towards(Number(candidate.candidate.split(' ')[5]));
      return super.addIceCandidate({ ...candidate, candidate: moved(candidate.candidate, port) });
    }
    get onicecandidate() { return super.onicecandidate; }
    set onicecandidate(then) {
      super.onicecandidate = then && (({ candidate }) => then({
        candidate: candidate && { candidate: candidate.candidate, toJSON: () => ({ ...candidate.toJSON(), candidate: moved(candidate.candidate, 9) }) },
      }));
    }
  };
}`;
