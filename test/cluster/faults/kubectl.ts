// kubectl with something on its stdin, and with an answer where it refuses.
import { execFile } from 'node:child_process';

export interface Said {
  ok: boolean;
  /** stdout, or what was said of the refusal. */
  text: string;
}

/** What kubectl said, refused or not. */
export function tryKubectl(args: readonly string[], input?: string): Promise<Said> {
  return new Promise((resolve) => {
    const child = execFile('kubectl', args, (error, stdout, stderr) => resolve({ ok: !error, text: (error ? stderr : stdout).trim() }));
    child.stdin!.end(input);
  });
}

export async function apply(namespace: string, manifest: object): Promise<void> {
  const { ok, text } = await tryKubectl(['-n', namespace, 'apply', '--server-side', '-f', '-'], JSON.stringify(manifest));
  if (!ok) throw new Error(text);
}
