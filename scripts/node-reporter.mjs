// Minnow - SPDX-License-Identifier: Apache-2.0
// node --test --test-reporter=THIS: failures whole, what tests print, why some were skipped (a line each reason), and the sums in
// the words that run-tests.sh counts.

/**
 * @param {AsyncIterable<any>} events
 */
export default async function* reporter(events) {
  let passed = 0;
  let failed = 0;
  /** @type {Map<string, string[]>} reason -> names */
  const skipped = new Map();
  for await (const { type, data } of events) {
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details.type === 'suite') continue;
    if (type === 'test:fail') {
      const { error } = data.details;
      yield `failed: ${data.file}: ${data.name}\n${error?.cause?.stack ?? error?.stack ?? error}\n`;
      failed++;
    } else if (data.skip !== undefined) {
      const reason = String(data.skip);
      skipped.set(reason, [...(skipped.get(reason) ?? []), data.name]);
    } else passed++;
  }
  for (const [reason, names] of skipped) {
    yield `skipped: ${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ''}: ${reason}\n`;
    yield `[  SKIPPED ] ${names.length} test(s)\n`;
  }
  if (failed > 0) yield `[  FAILED  ] ${failed} test(s)\n`;
  yield `[  PASSED  ] ${passed} test(s).\n`;
}
