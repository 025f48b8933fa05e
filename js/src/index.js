// Minnow - SPDX-License-Identifier: Apache-2.0
// `minnow-embed`: sentence embeddings in the browser and in Node.
//
//   import { Minnow } from 'minnow-embed';
//   const minnow = await Minnow.load({ model: '/models/model.minnow' });
//   const [a, b] = await minnow.embed(['How do I reset my password?', 'I forgot my login']);
//   console.log(await minnow.similarity(a, b));
//
// The model is loaded and run in a worker; texts stay on the machine. Nothing happens when this file is imported. What
// runs a model in the calling thread is imported where there is no worker.
import { Client, NoWorker } from './client.js';
import { MinnowError, adoptError } from './errors.js';
import { persistIfAsked } from './load/persist.js';
import { BaseMinnow, prepare } from './minnow.js';
import { absoluteUrl, ownUrl } from './platform.js';

export { MinnowError } from './errors.js';
export { l2Normalize, meanPool } from './vector.js';

export class Minnow extends BaseMinnow {
  /**
   * Loads a model. No host is contacted but those that `model`, `workerUrl` and `wasmUrl` name, and the one that this
   * file came from.
   * @param {import('./options.js').LoadOptions} options
   * @returns {Promise<Minnow>} rejects with a MinnowError, or with the signal's reason
   */
  static async load(options) {
    const wanted = prepare(options);
    wanted.options.signal?.throwIfAborted();
    return new Minnow(await connect(wanted), wanted.options);
  }
}

/**
 * @param {import('./minnow.js').Wanted} wanted
 * @returns {Promise<import('./minnow.js').Backend>}
 */
async function connect(wanted) {
  const { settings, options } = wanted;
  if (options.worker === false) return connectInline(wanted, 'inline: asked for');
  // An asset and not `new Worker(new URL(...))`: worker.js is whole as it is, and its address is needed to see its
  // origin.
  const workerUrl = options.workerUrl === undefined
    ? ownUrl(new URL('./worker.js', import.meta.url)) : absoluteUrl(options.workerUrl);
  try {
    const { onProgress, signal, transfer } = options;
    const client = await Client.load(settings, { onProgress, signal, workerUrl, transfer });
    persistIfAsked(settings.cache);
    return {
      info: /** @type {import('./session.js').SessionInfo} */ (client.info),
      run: (call) => client.run(call),
      memoryBytes: () => client.memoryBytes(),
      close: () => client.close(),
      worker: client.kind,
      reason: '',
    };
  } catch (error) {
    if (!(error instanceof NoWorker)) throw error;
    return connectInline(wanted, `inline: ${error.message}`);
  }
}

/**
 * @param {import('./minnow.js').Wanted} wanted
 * @param {string} reason
 * @returns {Promise<import('./minnow.js').Backend>}
 */
async function connectInline(wanted, reason) {
  const backend = await (await inlineSession(reason)).loadInline(wanted, reason).catch(adoptError);
  return {
    ...backend,
    run: (call) => {
      const { promise, cancel } = backend.run(call);
      return { promise: promise.catch(adoptError), cancel };
    },
    memoryBytes: () => backend.memoryBytes().catch(adoptError),
  };
}

/** @param {string} reason why it is needed */
async function inlineSession(reason) {
  try {
    return await import('./inline-session.js');
  } catch (cause) {
    throw new MinnowError('network',
      `${reason}; and inline-session.js, which lies beside index.js in minnow-embed's dist/, ` +
      `could not be loaded (${/** @type {Error} */ (cause).message})`, { cause });
  }
}
