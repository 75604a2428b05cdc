// <cordboard-call flow="parcel">: a call from a company's page. Attributes in, DOM events out.
import { mount, unmount } from 'svelte';
import CallView from './CallView.svelte';
import styles from './call.css?inline';

const OBSERVED = ['flow', 'server', 'token-url', 'heading'] as const;

export interface CallSettings {
  flow: string;
  server: string;
  tokenUrl: string;
  heading: string;
}

// Adopted, not injected: a page's style-src 'self' blocks a <style> that a script adds.
const sheet = new CSSStyleSheet();
sheet.replaceSync(styles);

export class CordboardCall extends HTMLElement {
  static readonly observedAttributes = OBSERVED;
  private readonly settings: CallSettings = $state(settingsOf(this));
  private view: Record<string, unknown> | null = null;

  constructor() {
    super();
    this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [sheet];
  }

  attributeChangedCallback(): void {
    Object.assign(this.settings, settingsOf(this));
  }

  connectedCallback(): void {
    if (this.view !== null) return;
    this.view = mount(CallView, { target: this.shadowRoot!, props: { settings: this.settings, host: this } });
  }

  disconnectedCallback(): void {
    // A page that moves the element takes it out and puts it in again at once: the call goes on.
    queueMicrotask(() => {
      if (this.isConnected || this.view === null) return;
      void unmount(this.view);
      this.view = null;
    });
  }
}

function settingsOf(element: HTMLElement): CallSettings {
  const server = (element.getAttribute('server') ?? new URL(import.meta.url).origin).replace(/\/+$/, '');
  return {
    flow: element.getAttribute('flow') ?? '',
    server,
    tokenUrl: element.getAttribute('token-url') ?? `${server}/v1/tokens`,
    heading: element.getAttribute('heading') ?? 'Talk to us',
  };
}

if (!customElements.get('cordboard-call')) customElements.define('cordboard-call', CordboardCall);
