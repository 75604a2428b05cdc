// What we ask for in an offer beyond what the browser writes itself.

/** Asks for Opus with in-band FEC and DTX, mono (RFC 7587, section 6.1). */
export function withOpus(sdp: string): string {
  const payload = /^a=rtpmap:(\d+) opus\/48000/im.exec(sdp)?.[1];
  if (payload === undefined) return sdp;
  const wanted = ['useinbandfec=1', 'usedtx=1', 'stereo=0'];
  const line = new RegExp(`^a=fmtp:${payload} (.*)$`, 'im');
  const parameters = line.exec(sdp)?.[1];
  if (parameters === undefined) {
    return sdp.replace(/^a=rtpmap:\d+ opus\/48000.*$/im, (map) => `${map}\r\na=fmtp:${payload} ${wanted.join(';')}`);
  }
  const names = new Set(wanted.map((one) => one.split('=')[0]));
  const kept = parameters.trim().split(/;\s*/).filter((one) => one !== '' && !names.has(one.split('=')[0]));
  return sdp.replace(line, () => `a=fmtp:${payload} ${[...kept, ...wanted].join(';')}`);
}
