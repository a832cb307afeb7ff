import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromFsError } from '../../src/build/fs-error.js';

test('what the file system refuses has a hint that fits: an index that is read is no folder to write to', () => {
  const failed = (code: string) => Object.assign(new Error(`${code}: it failed`), { code });
  const reading = (code: string) => fromFsError(failed(code), 'cannot open index x', 'INDEX_NOT_FOUND');
  const writing = (code: string) => fromFsError(failed(code), 'cannot write x');
  assert.match(reading('EACCES').hint ?? '', /permissions/);
  assert.match(writing('EACCES').hint ?? '', /may write/);
  for (const error of [reading('ELOOP'), writing('ENAMETOOLONG')]) assert.match(error.hint ?? '', /path/);
});
