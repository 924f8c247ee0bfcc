// What an adapter does not promise is no test of it: it is left out and not skipped, so that a skipped test is always a fault.
import { it } from 'vitest';

export const when = (promised: boolean) => (name: string, body: () => Promise<void>) => {
  if (promised) it(name, body);
};
