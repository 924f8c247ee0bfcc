// How the dependencies of a front end are installed and its scripts run: npm, pnpm or yarn, by the lock file that is there. Pure.

export interface PackageManager {
  name: 'npm' | 'pnpm' | 'yarn';
  /** Why it is this one. */
  because: string;
  /** Shell that makes its command available, where it is not already. Needs nothing but npm. */
  prelude: string;
  install: string;
  run: (script: string) => string;
}

const QUIET = '--no-audit --no-fund';
/** In a monorepo the lock file stands above the folder that is built. */
const findLock = (name: string) => `lock=${name}; while [ ! -f "$lock" ] && [ "\${#lock}" -lt 100 ]; do lock="../$lock"; done`;
const PNPM_BY_LOCK = `${findLock('pnpm-lock.yaml')}
  case "$(sed -n 's/^lockfileVersion: *//p' "$lock" 2>/dev/null | head -n 1)" in *5.*) version=7 ;; *6.*) version=8 ;; *) version=10 ;; esac`;

/** `names` of the files beside the lock file; `declared`: "packageManager" of package.json, such as pnpm@9.1.0+sha512.… */
export function packageManager(names: ReadonlySet<string>, declared: string | undefined): PackageManager {
  const wanted = /^(npm|pnpm|yarn)@(\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?)(?:\+|$)/.exec(declared ?? '');
  const version = (name: string) => (wanted?.[1] === name ? wanted[2] : undefined);
  const lock = ['package-lock.json', 'npm-shrinkwrap.json'].find((name) => names.has(name));
  if (lock && wanted?.[1] !== 'pnpm' && wanted?.[1] !== 'yarn') return npm(`npm ci ${QUIET}`, lock);
  if (names.has('pnpm-lock.yaml')) return pnpm('pnpm install --frozen-lockfile', version('pnpm'), 'pnpm-lock.yaml');
  if (names.has('yarn.lock')) return yarn(names, version('yarn'), true);
  if (lock) return npm(`npm ci ${QUIET}`, lock);
  if (wanted?.[1] === 'pnpm') return pnpm('pnpm install --no-frozen-lockfile', version('pnpm'), `packageManager ${declared}`);
  if (wanted?.[1] === 'yarn') return yarn(names, version('yarn'), false);
  return npm(`npm install --no-package-lock ${QUIET}`, 'no lock file');
}

/** Whether one of the names is a lock file that packageManager() goes by. */
export function hasLock(names: ReadonlySet<string>): boolean {
  return ['package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock'].some((name) => names.has(name));
}

function npm(install: string, because: string): PackageManager {
  return { name: 'npm', because, prelude: '', install, run: (script) => `npm run ${script}` };
}

function pnpm(install: string, version: string | undefined, because: string): PackageManager {
  const find = version ? `version=${version}` : PNPM_BY_LOCK;
  const prelude = shim('pnpm', 'command -v pnpm >/dev/null 2>&1', `pnpm@$version`, find);
  return { name: 'pnpm', because, prelude, install, run: (script) => `pnpm run ${script}` };
}

const IS_YARN_1 = 'case "$(cd / && yarn --version 2>/dev/null)" in 1.*) true ;; *) false ;; esac';

/** From version 2 on yarn is another program, in another package, with other options; its lock file tells which, where nothing else does. */
function yarn(names: ReadonlySet<string>, version: string | undefined, locked: boolean): PackageManager {
  const run = (script: string) => `yarn run ${script}`;
  const modern = version ? Number.parseInt(version, 10) >= 2 : names.has('.yarnrc.yml') ? true : locked ? undefined : false;
  const because = `${locked ? 'yarn.lock' : 'packageManager'}${modern === undefined ? '' : modern ? ' of yarn 2 or newer' : ' of yarn 1'}`;
  const classic = locked ? '--frozen-lockfile --non-interactive' : '--non-interactive';
  if (modern === false) return { name: 'yarn', because, prelude: shim('yarn', IS_YARN_1, `yarn@${version ?? '1'}`), install: `yarn install ${classic}`, run };
  const berry = locked ? '--immutable' : '--no-immutable';
  if (modern) return { name: 'yarn', because, prelude: shim('yarn', 'false', `@yarnpkg/cli-dist@${version ?? '4'}`), install: `yarn install ${berry}`, run };
  const look = `${findLock('yarn.lock')}
if grep -q '^__metadata:' "$lock" 2>/dev/null; then package=@yarnpkg/cli-dist@4 options='${berry}'; else package=yarn@1 options='${classic}'; fi
`;
  const prelude = look + shim('yarn', `[ "$package" = yarn@1 ] && ${IS_YARN_1}`, '$package');
  return { name: 'yarn', because, prelude, install: 'yarn install $options', run };
}

/** A command of this name at the head of PATH that npx brings, unless the right one is there; package.json's own scripts find it too. */
function shim(command: string, isThere: string, what: string, before = ''): string {
  return `if ! { ${isThere}; }; then
${before ? `  ${before}\n` : ''}  tools=$(mktemp -d)
  trap 'rm -rf "$tools"' EXIT
  printf '#!/bin/sh\\nexec npx --yes %s "$@"\\n' "${what}" >"$tools/${command}"
  chmod +x "$tools/${command}"
  PATH="$tools:$PATH"
  export PATH
fi
`;
}
