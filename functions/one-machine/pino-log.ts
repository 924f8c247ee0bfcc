// The log's file and form: JSON lines, by pino, with what may be a secret left out.
import pino from 'pino';
import type { Log } from '../../shared/host/contract.ts';

/** Fields that may hold a secret, wherever they stand in what is logged. */
const SECRET_FIELDS = ['token', 'secret', 'password', 'authorization', 'cookie'];

export function createPinoLog(path: string): Log & { flush(): Promise<void> } {
  const destination = pino.destination({ dest: path, mkdir: true, sync: false, mode: 0o600 });
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
