// The words that choose rows of the bench "cluster": known without loading what measures them.

/** In the order in which they are measured. */
export const ROWS = ['cold', 'chain', 'kept', 'taskrun', 'share', 'from-zero'] as const;

export type RowName = (typeof ROWS)[number];
