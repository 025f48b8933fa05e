// Minnow - SPDX-License-Identifier: Apache-2.0
// What pages of bench/browser and web/ have that TypeScript does not know: what is put on `window` for whoever drives
// them, and files at places where they are served only.

interface Window {
  result: any;
  reported?: (json: string) => void;
  minnow: import('minnow-embed').Minnow;
  unmeasuredBytes: number;
  longTasks: { start_ms: number; ms: number }[];
  bench: any;
}

interface Performance {
  measureUserAgentSpecificMemory(): Promise<{ bytes: number; breakdown: { bytes: number; types: string[] }[] }>;
}

interface Navigator {
  connection?: { saveData: boolean };
}

declare module '@huggingface/transformers';

declare module '*/minnow/src/index.js' {
  export * from 'minnow-embed';
}

declare module '*/minnow/src/inline.js' {
  export * from 'minnow-embed/inline';
}
