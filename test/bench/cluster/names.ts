// The words that choose rows of the bench "cluster": known without loading what measures them.

/** On an overlay that is installed for them, and by themselves. */
export const ROWS = ['taskrun'] as const;

export type RowName = (typeof ROWS)[number];
