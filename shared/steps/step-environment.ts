// What a step of our own finds in its container: who starts it (shared/tekton) and the program in it agree on these names.

export const STEP_ENV = {
  /** JSON: absolute folder of each workspace that the step sees, by its declared name; the empty string for an optional one that is not bound. */
  workspaces: 'TIDEMILL_WORKSPACES',
  /** JSON: absolute file of each result that the Task declares, by its name. */
  results: 'TIDEMILL_RESULTS',
  /** Base URL of the edge `bytes`, without a slash at its end. */
  bytesUrl: 'TIDEMILL_BYTES_URL',
  /** File that holds the service-account token to show there; renewed by the kubelet, so read it anew for each request. */
  tokenFile: 'TIDEMILL_TOKEN_FILE',
} as const;

/** Audience of that token. */
export const TOKEN_AUDIENCE = 'tidemill';

/** Seconds that a token is good for; no cluster gives a shorter time. The kubelet renews it at four fifths of it. */
export const TOKEN_SECONDS = 600;

/** Folder that the token is mounted in, in steps of our own alone. */
export const TOKEN_FOLDER = '/var/run/tidemill';

export const TOKEN_FILE = `${TOKEN_FOLDER}/token`;
