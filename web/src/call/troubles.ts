// The words for each trouble: what happened, and what the caller can do.

export interface Trouble {
  title: string;
  remedy: string;
  /** Whether calling again may help without anything else. */
  again: boolean;
}

export type TroubleCode = keyof typeof TROUBLES;

export const TROUBLES = {
  microphone_refused: {
    title: 'The microphone is not allowed',
    remedy:
      'Press the lock or microphone sign beside the address of this page, allow the microphone, then call again.',
    again: true,
  },
  microphone_missing: {
    title: 'No microphone was found',
    remedy: 'Plug in a headset or turn on a microphone, then call again.',
    again: true,
  },
  microphone_busy: {
    title: 'The microphone is in use',
    remedy: 'Close other programs or tabs that use it, such as a meeting, then call again.',
    again: true,
  },
  insecure: {
    title: 'This page cannot use a microphone',
    remedy: 'Browsers allow it on secure pages alone. Open this page with https:// in its address.',
    again: false,
  },
  no_webrtc: {
    title: 'This browser cannot make calls',
    remedy: 'Open this page in a current Chrome, Edge, Firefox or Safari.',
    again: false,
  },
  server_away: {
    title: 'The service cannot be reached',
    remedy: 'Check your connection to the internet. If it works, try again in a few minutes.',
    again: true,
  },
  token_refused: {
    title: 'This page may not place the call',
    remedy: 'Load the page anew. If that does not help, tell whoever runs this page.',
    again: true,
  },
  token_spent: {
    title: 'This permission to call was used already',
    remedy: 'Call again: a new one is asked for.',
    again: true,
  },
  token_expired: {
    title: 'The permission to call has run out',
    remedy: 'Call again: a new one is asked for.',
    again: true,
  },
  foreign_origin: {
    title: 'This page may not place calls here',
    remedy: 'Its address is not on the list of pages that may call. Tell whoever runs this page.',
    again: false,
  },
  no_such_flow: {
    title: 'Nobody answers under this name',
    remedy: 'The name of the service in this page is unknown. Tell whoever runs this page.',
    again: false,
  },
  too_many: {
    title: 'Too many calls from here',
    remedy: 'Please wait a little, then call again.',
    again: true,
  },
  no_room: {
    title: 'All lines are busy',
    remedy: 'Please try again in a few minutes.',
    again: true,
  },
  draining: {
    title: 'The service is being restarted',
    remedy: 'Please call again in a minute.',
    again: true,
  },
  no_media: {
    title: 'No sound gets through',
    remedy:
      'The network you are in may block calls. Try another one, such as your phone’s, or turn off a VPN, then call again.',
    again: true,
  },
  connection_lost: {
    title: 'The connection was lost',
    remedy: 'It did not come back. Check your connection to the internet, then call again.',
    again: true,
  },
  call_lost: {
    title: 'The call was lost',
    remedy: 'The service has been restarted, or your connection was away for too long. Please call again.',
    again: true,
  },
  malformed: {
    title: 'The service did not understand this page',
    remedy: 'Load the page anew, then call again. If that does not help, tell whoever runs this page.',
    again: true,
  },
  failed: {
    title: 'Something went wrong',
    remedy: 'Please call again. If that does not help, load the page anew.',
    again: true,
  },
} as const satisfies Record<string, Trouble>;

/** What the service calls a refusal, where the words here have another name. */
const REFUSALS: Record<string, TroubleCode> = {
  unauthorized: 'token_refused',
  token_unknown: 'token_refused',
  wrong_flow: 'no_such_flow',
  no_such_call: 'call_lost',
};

const STATUSES: Record<number, TroubleCode> = {
  401: 'token_refused',
  403: 'foreign_origin',
  404: 'no_such_flow',
  429: 'too_many',
  500: 'server_away',
  502: 'server_away',
  503: 'no_room',
  504: 'server_away',
};

const known = (code: string): code is TroubleCode => Object.hasOwn(TROUBLES, code);

/** The trouble of a refusal, by its code, or by the status where the code says nothing. */
export function refusalTrouble(code: string | null, status: number | null): TroubleCode {
  if (code !== null && known(code)) return code;
  if (code !== null && Object.hasOwn(REFUSALS, code)) return REFUSALS[code]!;
  return (status !== null && STATUSES[status]) || 'failed';
}

/** The trouble of what getUserMedia throws (Media Capture and Streams, section 10.2). */
export function microphoneTrouble(name: string): TroubleCode {
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'microphone_refused';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'microphone_missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'microphone_busy';
    default:
      return 'failed';
  }
}

/** The words, with the time to wait where the service gave one. */
export function troubleWords(code: TroubleCode, retryAfterS: number | null): Trouble {
  const trouble: Trouble = TROUBLES[code];
  if (retryAfterS === null || !(retryAfterS > 0)) return trouble;
  return { ...trouble, remedy: `Please call again ${inWords(retryAfterS)}.` };
}

function inWords(seconds: number): string {
  if (seconds < 90) return `in ${Math.ceil(seconds)} seconds`;
  if (seconds < 5_400) return `in ${Math.ceil(seconds / 60)} minutes`;
  return `in ${Math.ceil(seconds / 3_600)} hours`;
}
