// The caller's page: which flow answers is said by the address, or by the service.
import './caller.css';

const FIRST_FLOW = 'parcel';

async function firstFlow(): Promise<string> {
  try {
    const response = await fetch('/v1/flows');
    const body: unknown = response.ok ? await response.json() : null;
    const flows = (body as { flows?: unknown } | null)?.flows;
    if (Array.isArray(flows) && typeof flows[0] === 'string') return flows[0];
  } catch {
    // A service that does not tell its flows is called by the usual name.
  }
  return FIRST_FLOW;
}

const flow = new URLSearchParams(location.search).get('flow') ?? (await firstFlow());
document.querySelector('cordboard-call')?.setAttribute('flow', flow);
