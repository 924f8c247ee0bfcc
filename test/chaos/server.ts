// The server as a process that a test can kill at a chosen call of a port. Started by fork(); speaks through its channel.
import { startServer } from '../../functions/one-machine/start.ts';
import { createLog } from '../../shared/host/log/log.ts';
import { createInstrument, type KillPoint } from './instrument.ts';

export type ToServer = { arm: KillPoint | null } | { counts: true };
export type FromServer = { ready: { port: number; token: string; webhookSecret: string } } | { armed: true } | { counts: Record<string, number> };

const [data] = process.argv.slice(2);
if (!data) throw new Error('Usage: server.ts DATA');

const instrument = createInstrument();
const tell = (message: FromServer) => process.send?.(message);
process.on('message', (message: ToServer) => {
  if ('counts' in message) return tell({ counts: instrument.counts() });
  instrument.arm(message.arm ?? undefined);
  tell({ armed: true });
});
process.on('disconnect', () => process.exit(0));

const server = await startServer({ data, port: 0, log: createLog(`${data}/server.log`), instrument: instrument.wrap });
tell({ ready: { port: server.port, token: server.token, webhookSecret: server.webhookSecret } });
