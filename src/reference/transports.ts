/** Transports of other tools that clip does not read, with what to do instead. */
export const FOREIGN: Readonly<Record<string, string>> = {
  dir: 'copy it into an OCI layout first: skopeo copy dir:… oci:DIR:TAG',
  'containers-storage': 'copy it into an OCI layout first: skopeo copy containers-storage:… oci:DIR:TAG',
  ostree: 'copy it into an OCI layout first: skopeo copy ostree:… oci:DIR:TAG',
  sif: 'copy it into an OCI layout first: skopeo copy sif:… oci:DIR:TAG',
};

/** Words that, before a colon, are never a repository with its tag. `docker:24` is one: only `docker://` is the transport. */
const RESERVED: ReadonlySet<string> = new Set([
  'oci',
  'oci-archive',
  'docker-archive',
  'docker-daemon',
  'tar',
  ...Object.keys(FOREIGN),
]);

/** Would `word:…` be read as a transport? */
export function isTransport(word: string): boolean {
  return RESERVED.has(word);
}
