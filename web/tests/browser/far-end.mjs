// The far end of a call's media: an RTCPeerConnection in a second tab, that answers every offer and hums.
import { open } from './harness.mjs';

export async function farEnd(browser, service) {
  service.pages['/far'] = { html: '<!doctype html><title>far end</title>', headers: {} };
  const page = await open(browser, `${service.url}/far`);
  await page.evaluate(async () => {
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: 220 });
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    window.answer = async (sdp, fresh) => {
      if (fresh || !window.peer) {
        window.peer?.close();
        window.peer = new RTCPeerConnection();
        window.peer.addTrack(out.stream.getAudioTracks()[0], out.stream);
      }
      await window.peer.setRemoteDescription({ type: 'offer', sdp });
      await window.peer.setLocalDescription();
      await new Promise((resolve) => {
        if (window.peer.iceGatheringState === 'complete') resolve();
        else window.peer.onicegatheringstatechange = () => window.peer.iceGatheringState === 'complete' && resolve();
      });
      return window.peer.localDescription.sdp;
    };
  });
  return {
    page,
    /** Answers begin, resume and offer as the service would, and takes candidates. */
    attend(call = '01J9CALL0000000000000000AA') {
      service.onMessage = async (message, send) => {
        if (['begin', 'resume', 'offer'].includes(message.type)) {
          const sdp = await page.evaluate(([offer, fresh]) => window.answer(offer, fresh), [message.sdp, message.type === 'begin']);
          send({ type: 'answer', call, resume: 'secret', sdp });
          if (message.type === 'begin') send({ type: 'state', state: 'listening', agent: null });
        } else if (message.type === 'candidate') {
          await page.evaluate((candidate) => window.peer?.addIceCandidate(candidate ?? undefined).catch(() => {}), message.candidate);
        }
      };
    },
    received: () => page.evaluate(async () => {
      let packets = 0;
      (await window.peer.getStats()).forEach((one) => { if (one.type === 'inbound-rtp') packets = one.packetsReceived; });
      return packets;
    }),
    restarts: () => page.evaluate(() => window.peer.remoteDescription.sdp.match(/a=ice-ufrag:(\S+)/)[1]),
  };
}
