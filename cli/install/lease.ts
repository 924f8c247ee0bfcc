// Name of the Lease that the watcher holds, as functions/watcher has it: a test holds the two together.
export const LEASE_NAME = 'tidemill-watcher';
