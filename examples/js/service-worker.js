// Minnow - SPDX-License-Identifier: Apache-2.0
// A service worker that embeds for its pages:
//   navigator.serviceWorker.register('service-worker.js', { type: 'module' })
//   registration.active.postMessage({ text }, [port])    answers on the port with a Float32Array, or {error}
// The package's folder, minnow-embed/, and model.minnow lie beside it.

import { Minnow } from './minnow-embed/dist/inline.js';

/** @type {Promise<Minnow> | undefined} loaded by the first message, and anew if that failed */
let minnow;

function load() {
  minnow ??= Minnow.load({ model: new URL('model.minnow', self.location.href) });
  minnow.catch(() => {
    minnow = undefined;
  });
  return minnow;
}

self.addEventListener('message', (event) => {
  const answer = async () => {
    try {
      const vector = await (await load()).embed(event.data.text);
      event.ports[0].postMessage(vector);
    } catch (error) {
      event.ports[0].postMessage({ error: error.message });
    }
  };
  event.waitUntil(answer());
});
