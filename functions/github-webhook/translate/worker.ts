// The other side of large.ts: translates one body per message.
import { parentPort } from 'node:worker_threads';
import { translate, type WebhookHead } from './translate.ts';

export interface TranslateRequest {
  head: WebhookHead;
  body: Uint8Array;
}

parentPort?.on('message', ({ head, body }: TranslateRequest) => {
  parentPort?.postMessage(translate(head, Buffer.from(body.buffer, body.byteOffset, body.byteLength)));
});
