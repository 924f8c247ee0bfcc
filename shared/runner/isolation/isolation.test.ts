// How each isolation begins a step, and how it is chosen. Containers are checked by the arguments they are begun with.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NODE_IMAGE, STEP_IMAGE } from '../builtin.ts';
import { bubblewrap, programFolders } from './bubblewrap.ts';
import { createIsolations } from './choose.ts';
import { containers, runArguments } from './container.ts';
import { detectIsolation } from './detect.ts';
import type { Contained } from './isolation.ts';
import { hostPath } from './plain.ts';

const contained: Contained = {
  name: 'tidemill-uid-0-step-build',
  image: 'docker.io/library/node:24',
  pullPolicy: 'IfNotPresent',
  command: ['/tekton/scripts/script-0'],
  args: ['--flag', '$(x); rm -rf /'],
  env: { TOKEN: 'hush', PATH: '/usr/bin', LD_PRELOAD: '/x.so' },
  workingDir: '/workspace/source',
  mounts: [
    { source: '/data/ws,1', target: '/workspace', readOnly: false },
    { source: '/data/secret', target: '/secret', readOnly: true },
  ],
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-isolation-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, name), 0o755);
}

describe('containers', () => {
  test('are begun with their mounts, their environment by name only, and the command after the image', () => {
    expect(runArguments(contained)).toEqual([
      'run',
      '--rm',
      '--name',
      'tidemill-uid-0-step-build',
      '--pull',
      'missing',
      '--mount',
      'type=bind,"source=/data/ws,1",target=/workspace',
      '--mount',
      'type=bind,source=/data/secret,target=/secret,readonly',
      '--env',
      'TOKEN',
      '--env',
      'PATH=/usr/bin',
      '--env',
      'LD_PRELOAD=/x.so',
      '--workdir',
      '/workspace/source',
      '--entrypoint',
      '/tekton/scripts/script-0',
      '--',
      'docker.io/library/node:24',
      '--flag',
      '$(x); rm -rf /',
    ]);
  });

  test("leave the image's entrypoint alone where there is no command, share a network, and carry user and limits", () => {
    const { command: _command, ...rest } = contained;
    const args = runArguments({
      ...rest,
      mounts: [],
      env: {},
      network: 'tidemill-uid-0-sidecar-db',
      securityContext: {
        runAsUser: 1000,
        runAsGroup: 1000,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'], add: ['CHOWN'] },
      },
      limits: { cpu: '500m', memory: '256Mi' },
    });
    expect(args).not.toContain('--entrypoint');
    expect(args.join(' ')).toContain('--network container:tidemill-uid-0-sidecar-db');
    expect(args.join(' ')).toContain(
      '--user 1000:1000 --security-opt no-new-privileges --read-only --cap-drop ALL --cap-add CHOWN --cpus 0.5 --memory 268435456b',
    );
  });

  test("give the client its own environment, and the step's secrets through it, but never what would change the client", () => {
    const launch = containers('podman', '/usr/bin/podman', { PATH: '/bin', HOME: '/home/me', XDG_RUNTIME_DIR: '/run/user/1', TIDEMILL_TOKEN: 'hush' }).launch(
      contained,
    );
    expect(launch.env).toEqual({ TOKEN: 'hush', PATH: '/bin', HOME: '/home/me', XDG_RUNTIME_DIR: '/run/user/1' });
    expect(launch.args.join(' ')).not.toContain('hush');
    expect(launch.container).toBe('tidemill-uid-0-step-build');
  });

  test('are removed by name, and one that is gone is success', async () => {
    await program('podman', `echo "$@" >> ${folder}/calls; echo 'Error: no such container' >&2; exit 1`);
    await containers('podman', join(folder, 'podman'), { PATH: process.env['PATH'] }).discard('tidemill-x');
    await program('podman', 'echo broken >&2; exit 125');
    await expect(containers('podman', join(folder, 'podman'), { PATH: process.env['PATH'] }).discard('tidemill-x')).rejects.toThrow('broken');
  });
});

describe('bubblewrap', () => {
  test('shows programs that PATH names outside the system, never a whole home folder', async () => {
    const home = join(folder, 'home');
    for (const path of ['.nvm/v24/bin', '.nvm/v24/lib', '.local/bin', '.local/lib', 'bin', 'lib']) await mkdir(join(home, path), { recursive: true });
    const path = ['/usr/bin', join(home, '.nvm/v24/bin'), join(home, '.local/bin'), join(home, 'bin'), join(home, 'nowhere'), 'relative'].join(':');
    expect(programFolders(path, home)).toEqual([join(home, '.local/bin'), join(home, '.nvm/v24'), join(home, 'bin')].toSorted());
  });

  test('sees the versions that the shims of a version manager choose from', async () => {
    const home = join(folder, 'me');
    for (const path of ['.pyenv/shims', '.pyenv/versions', '.volta/bin', '.volta/tools', '.other/shims']) await mkdir(join(home, path), { recursive: true });
    const path = ['.pyenv/shims', '.volta/bin', '.other/shims'].map((entry) => join(home, entry)).join(':');
    expect(programFolders(path, home)).toEqual(['.other/shims', '.pyenv', '.volta'].map((entry) => join(home, entry)));
  });

  test('gets its arguments through a descriptor, so that no secret stands in a process list', () => {
    const launch = bubblewrap({ file: '/usr/bin/bwrap', path: '/usr/bin', home: '/home/me' }).launch(contained);
    expect(launch.args).toEqual(['--args', '3', '--', '/tekton/scripts/script-0', '--flag', '$(x); rm -rf /']);
    expect(launch.env).toEqual({});
    expect(launch.descriptor?.split('\0')).toEqual(expect.arrayContaining(['--clearenv', '--setenv', 'TOKEN', 'hush', '--die-with-parent', '--unshare-pid']));
  });
});

describe('which one', () => {
  test('podman, then docker, then bubblewrap, where they work; else plain processes that say why', async () => {
    expect(await detectIsolation({ PATH: folder })).toMatchObject({
      kind: 'none',
      description: expect.stringContaining('podman is not installed; docker is not installed; bubblewrap is not installed'),
    });
    await program('bwrap', 'exit 0');
    expect((await detectIsolation({ PATH: folder })).kind).toBe('bubblewrap');
    await program('docker', 'echo "Cannot connect to the Docker daemon" >&2; exit 1');
    expect((await detectIsolation({ PATH: folder })).kind).toBe('bubblewrap');
    await program('docker', 'exit 0');
    expect((await detectIsolation({ PATH: folder })).kind).toBe('docker');
    await program('podman', 'exit 0');
    expect((await detectIsolation({ PATH: folder })).kind).toBe('podman');
  });

  test('the one that is asked for, or an error that says what to do', async () => {
    await program('docker', 'echo "Cannot connect to the Docker daemon" >&2; exit 1');
    expect((await detectIsolation({ PATH: folder, TIDEMILL_ISOLATION: 'none' })).kind).toBe('none');
    await expect(detectIsolation({ PATH: folder, TIDEMILL_ISOLATION: 'docker' })).rejects.toThrow(
      /docker does not work: Cannot connect.*unset TIDEMILL_ISOLATION/s,
    );
    await expect(detectIsolation({ PATH: folder, TIDEMILL_ISOLATION: 'chroot' })).rejects.toThrow('must be one of podman, docker, bubblewrap, none');
  });
});

describe('the PATH of steps', () => {
  test('is that of whoever started tidemill, without what npm put before it', () => {
    expect(
      hostPath('/app/node_modules/.bin:/node_modules/.bin:/usr/lib/node_modules/npm/node_modules/@npmcli/run-script/lib/node-gyp-bin:/home/me/bin:/usr/bin'),
    ).toBe('/home/me/bin:/usr/bin');
    expect(hostPath(undefined)).toContain('/usr/bin');
  });
});

describe('for one Task', () => {
  test('images of tidemill itself need no container engine, others do, and what is asked for holds for all', async () => {
    await program('docker', 'exit 0');
    await program('bwrap', 'exit 0');
    const own = { steps: [{ image: NODE_IMAGE }, { image: STEP_IMAGE }] };
    const foreign = { steps: [{ image: STEP_IMAGE }, { image: 'docker.io/library/golang:1' }] };
    const isolations = createIsolations({ PATH: folder });
    expect((await isolations.of(own)).kind).toBe('bubblewrap');
    expect((await isolations.of(foreign)).kind).toBe('docker');
    expect((await createIsolations({ PATH: folder, TIDEMILL_ISOLATION: 'docker' }).of(own)).kind).toBe('docker');
  });

  test('where containers are asked for, the public image of Node stands for the own one', () => {
    expect(runArguments({ ...contained, image: NODE_IMAGE })).toContain('docker.io/library/node:24');
  });
});
