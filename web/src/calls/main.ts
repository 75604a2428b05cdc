// The engineer's pages: /calls is the list, /calls/{ULID} one call.
import { mount } from 'svelte';
import App from './App.svelte';
import './calls.css';
import './call-page.css';

mount(App, { target: document.querySelector('#app')! });
