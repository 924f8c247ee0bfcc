// Versions as projects write them: "v1.35.8", "knative-v1.22.0", "devel".

/** The numbers; undefined where there are none, as with what somebody built himself. */
export function versionOf(text: string | undefined): readonly [number, number] | undefined {
  const match = /(?:^|[^\d.])v?(\d+)\.(\d+)/.exec(` ${text ?? ''}`);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

export function isOlder([major, minor]: readonly [number, number], [wantedMajor, wantedMinor]: readonly [number, number]): boolean {
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

export const versionText = (version: readonly [number, number]): string => version.join('.');
