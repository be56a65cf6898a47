/**
 * The index worker: looks at chunks of files, see {@linkcode lookAt}.
 *
 * @module
 */

import { type Chunk, lookAt } from "./look.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Chunk>) => void;
  postMessage(message: ReturnType<typeof lookAt>): void;
};

scope.onmessage = ({ data }) => scope.postMessage(lookAt(data));
