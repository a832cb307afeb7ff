/**
 * Runs a job for each item, at most `limit` at once; after a failure no more are begun, and the first is thrown when those under way have
 * ended.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  job: (item: T, i: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: { error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < items.length && !failure) {
      const i = next++;
      await job(items[i]!, i).catch((error: unknown) => {
        failure ??= { error };
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failure) throw failure.error;
}
