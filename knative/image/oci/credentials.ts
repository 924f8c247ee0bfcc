// Who we are at a registry, as `docker login` left it: in its config.json, or with the helper that it names.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

export interface Credentials {
  /** Base64 of `name:password`. */
  basic?: string;
  /** In place of a password. */
  identityToken?: string;
}

const configSchema = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() })).optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});

const HELPER = /^[A-Za-z0-9._-]+$/;

export async function credentialsFor(registry: string): Promise<Credentials | undefined> {
  const path = join(env['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json');
  const raw = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (raw === undefined) return undefined;
  const config = readConfig(raw, path);
  // Docker Hub goes by the address it had in the beginning.
  const keys =
    registry === 'docker.io' ? ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io'] : [registry, `https://${registry}`, `http://${registry}`];
  for (const key of keys) {
    const helper = config.credHelpers?.[key] ?? config.credsStore;
    const found = helper === undefined ? undefined : await askHelper(helper, key);
    if (found) return found;
    const entry = config.auths?.[key];
    if (entry?.auth || entry?.identitytoken)
      return { ...(entry.auth && { basic: entry.auth }), ...(entry.identitytoken && { identityToken: entry.identitytoken }) };
  }
  return undefined;
}

function readConfig(raw: string, path: string): z.infer<typeof configSchema> {
  try {
    return configSchema.parse(JSON.parse(raw));
  } catch (error) {
    // The message of a parser shows what it read, and that is a password.
    throw new Error(`${path} cannot be understood: mend it, or \`docker login\` anew`, { cause: error instanceof z.ZodError ? error : undefined });
  }
}

async function askHelper(helper: string, key: string): Promise<Credentials | undefined> {
  if (!HELPER.test(helper)) throw new Error(`${JSON.stringify(helper)} is no name of a credential helper`);
  const child = spawn(`docker-credential-${helper}`, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], timeout: 30_000 });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`docker-credential-${helper}, which config.json names, could not be started: ${error.message}`)));
    child.on('close', resolve);
  });
  child.stdin.on('error', () => {}); // It answered without reading the question; its exit code says whether that was an answer.
  child.stdin.end(key);
  const [said, code] = await Promise.all([text(child.stdout), ended]);
  if (code !== 0) return undefined; // It knows nothing of this registry.
  const { Username: user, Secret: secret } = z.object({ Username: z.string(), Secret: z.string() }).parse(JSON.parse(said));
  return user === '<token>' ? { identityToken: secret } : { basic: Buffer.from(`${user}:${secret}`).toString('base64') };
}
