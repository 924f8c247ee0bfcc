// A tick on one machine: its own clock strikes soon after the start, and the function that it wakes does its work.
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dataPaths } from '../../shared/host/machine/data-folder.ts';
import { startMachine } from '../support/machine.ts';

const THREE_DAYS_MS = 259_200_000;

test('what a writer elsewhere left half-written three days ago is taken away, and what is younger stays', async () => {
  const data = await mkdtemp(join(tmpdir(), 'tidemill-tick-'));
  const folder = join(dataPaths(data).storage, '.store/tmp');
  const leave = async (name: string, age_ms: number) => {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, '0'), 'half');
    const at = new Date(Date.now() - age_ms);
    await utimes(join(folder, name), at, at);
  };
  await leave('elsewhere~1~1~0a', THREE_DAYS_MS);
  await leave('elsewhere~2~2~0b', 60_000);
  const machine = await startMachine({ data });
  try {
    await expect.poll(() => readdir(folder), { timeout: 15_000 }).toEqual(['elsewhere~2~2~0b']);
  } finally {
    await machine.stop();
    await rm(data, { recursive: true, force: true });
  }
}, 20_000);
