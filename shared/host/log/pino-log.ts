// The log's form: JSON lines, by pino, with what may be a secret left out.
import pino from 'pino';
import type { Log } from '../contract.ts';

/** Fields that may hold a secret, wherever they stand in what is logged. */
const SECRET_FIELDS = ['token', 'secret', 'password', 'authorization', 'cookie'];

export function createPinoLog(to: string | 1): Log & { flush(): Promise<void> } {
  const destination = pino.destination(typeof to === 'string' ? { dest: to, mkdir: true, sync: false, mode: 0o600 } : { dest: to, sync: false });
  const log = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]) } },
    destination,
  );
  return {
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    flush: () => new Promise((resolve, reject) => destination.flush((error) => (error ? reject(error) : resolve()))),
  };
}
