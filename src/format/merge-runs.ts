/** Codes of runs of nodes. */
export const RUN = {
  /** Directories that no layer names: no reference, path explicit. */
  synthetic: 0,
  /** Nodes whose path is not their entry's: reference and path explicit. */
  moved: 1,
  /** This and above: consecutive entries of the layer with this number, less `first`, in the block's table of layers. */
  first: 2,
} as const;
