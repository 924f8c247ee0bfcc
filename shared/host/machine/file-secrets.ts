// Secrets of one machine: a file each, readable by its owner only.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { name as nameSchema } from '../../objects/fields.ts';
import { MissingSecret, type Secrets } from '../../ports/secrets.ts';

const MAX_BYTES = 65_536;

export function createFileSecrets(directory: string): Secrets {
  const pathOf = (name: string, namespace = 'default') => join(directory, nameSchema.parse(namespace === 'default' ? name : `ns.${namespace}.${name}`));
  return {
    async get(name, namespace) {
      try {
        return await readFile(pathOf(name, namespace), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new MissingSecret(name);
        throw error;
      }
    },
    async set(name, value, namespace) {
      if (Buffer.byteLength(value) > MAX_BYTES) throw new Error(`A secret has at most ${MAX_BYTES} bytes`);
      const path = pathOf(name, namespace);
      const beside = join(directory, `.${name}.${randomBytes(6).toString('hex')}`);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const file = await open(beside, 'wx', 0o600);
      try {
        await file.writeFile(value);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(beside, path);
    },
    async delete(name, namespace) {
      await rm(pathOf(name, namespace), { force: true });
    },
  };
}
