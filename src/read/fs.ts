import { constants } from 'node:fs';
import type { Readable } from 'node:stream';
import { byteStringToText } from '../bytes.js';
import type { Node } from '../tree/node.js';
import { createFileHandle, type ImageFileHandle } from './file-handle.js';
import { FsError, toFsError } from './fs-errors.js';
import { createPaths, type PathLike, showPath } from './fs-paths.js';
import { createChunkStream, type ReadStreamOptions } from './read-stream.js';
import type { ImageReader } from './reader.js';
import { ImageDirent, ImageStats, nameAs } from './stats.js';

export interface ReadFileOptions {
  encoding?: BufferEncoding | null;
  signal?: AbortSignal;
}

export interface ReaddirOptions {
  withFileTypes?: boolean;
  /** All that is below, as paths relative to the directory. */
  recursive?: boolean;
  /** `buffer` keeps names that are not UTF-8; in text their bytes become U+FFFD. */
  encoding?: BufferEncoding | 'buffer' | null;
}

type NameEncoding = { encoding: 'buffer' };

/**
 * An image's merged tree behind the functions of node:fs/promises (and `createReadStream`), so that code that takes an fs-like object can
 * take an image. Paths are resolved inside the image. Errors that lie in the path are FsErrors with Node's `code` (ENOENT,
 * ENOTDIR, EISDIR, ELOOP, EINVAL, ENAMETOOLONG, EROFS, EACCES, EBADF); others are ClipErrors.
 */
export interface ImageFs {
  /** Follows links. The buffer is the caller's own. */
  readFile(path: PathLike, options?: (ReadFileOptions & { encoding?: null }) | null): Promise<Buffer>;
  readFile(
    path: PathLike,
    options: BufferEncoding | (ReadFileOptions & { encoding: BufferEncoding }),
  ): Promise<string>;
  readdir(
    path: PathLike,
    options: ReaddirOptions & NameEncoding & { withFileTypes: true },
  ): Promise<ImageDirent<Buffer>[]>;
  readdir(path: PathLike, options: ReaddirOptions & { withFileTypes: true }): Promise<ImageDirent<string>[]>;
  readdir(path: PathLike, options: 'buffer' | (ReaddirOptions & NameEncoding)): Promise<Buffer[]>;
  readdir(path: PathLike, options?: BufferEncoding | ReaddirOptions | null): Promise<string[]>;
  stat(path: PathLike): Promise<ImageStats>;
  /** As `stat`, of the link itself where the path names one. */
  lstat(path: PathLike): Promise<ImageStats>;
  readlink(path: PathLike, options: 'buffer' | NameEncoding): Promise<Buffer>;
  readlink(path: PathLike, options?: BufferEncoding | { encoding?: BufferEncoding }): Promise<string>;
  /** The absolute path with all links followed. */
  realpath(path: PathLike): Promise<string>;
  /** `mode` as in node:fs: W_OK is EROFS; X_OK wants an execute bit of anybody's. */
  access(path: PathLike, mode?: number): Promise<void>;
  exists(path: PathLike): Promise<boolean>;
  /** Only `r`: everything else is EROFS. */
  open(path: PathLike, flags?: string | number): Promise<ImageFileHandle>;
  createReadStream(path: PathLike, options?: BufferEncoding | ReadStreamOptions): Readable;
  /** Itself: where a library wants `fs.promises`. */
  readonly promises: ImageFs;
}

export function createImageFs(reader: ImageReader): ImageFs {
  const paths = createPaths(reader.index);

  async function slowReadFile(path: PathLike, signal: AbortSignal | undefined): Promise<Buffer> {
    const node = await paths.resolve(path, { followLast: true, syscall: 'open' });
    try {
      const bytes = await reader.readAll(node, signal ? { signal } : {});
      reader.remember(node);
      return bytes;
    } catch (error) {
      throw toFsError(error, 'read', showPath(path));
    }
  }

  function readFile(
    path: PathLike,
    options?: BufferEncoding | ReadFileOptions | null,
  ): Promise<Buffer | string> {
    const { encoding, signal } = typeof options === 'string' ? { encoding: options } : (options ?? {});
    const node = paths.known(path, true);
    const view = node && reader.peek(node, 0, node.entry.size);
    const bytes = view ? Promise.resolve(Buffer.from(view)) : slowReadFile(path, signal);
    return encoding ? bytes.then((buffer) => buffer.toString(encoding)) : bytes;
  }

  async function readdir(
    path: PathLike,
    options?: BufferEncoding | 'buffer' | ReaddirOptions | null,
  ): Promise<(string | Buffer | ImageDirent<string | Buffer>)[]> {
    const how = typeof options === 'string' ? { encoding: options } : (options ?? {});
    const encoding = how.encoding === 'buffer' ? 'buffer' : 'utf8';
    const directory = await paths.resolve(path, { followLast: true, syscall: 'scandir' });
    const parent = showPath(path);
    if (directory.entry.type !== 'directory')
      throw new FsError('ENOTDIR', { syscall: 'scandir', path: parent });
    const { index } = reader;
    const batches = how.recursive ? index.walk(directory.path) : index.children(directory.path);
    const skip = directory.path === '' ? 0 : directory.path.length + 1;
    const found: (string | Buffer | ImageDirent<string | Buffer>)[] = [];
    for await (const nodes of batches) {
      for (const node of nodes) if (node.path !== directory.path) found.push(shown(node));
    }
    return found;

    function shown(node: Node): string | Buffer | ImageDirent<string | Buffer> {
      const relative = node.path.slice(skip) as Node['path'];
      if (!how.withFileTypes) return nameAs(relative, encoding);
      const slash = relative.lastIndexOf('/');
      const name = nameAs(relative.slice(slash + 1) as Node['path'], encoding);
      const under = byteStringToText(relative.slice(0, Math.max(slash, 0)) as Node['path']);
      return new ImageDirent(node, name, under === '' ? parent : `${parent.replace(/\/+$/, '')}/${under}`);
    }
  }

  async function readlink(
    path: PathLike,
    options?: BufferEncoding | 'buffer' | { encoding?: BufferEncoding | 'buffer' },
  ): Promise<string | Buffer> {
    const encoding = typeof options === 'string' ? options : options?.encoding;
    const node = await paths.resolve(path, { followLast: false, syscall: 'readlink' });
    if (node.entry.type !== 'symlink')
      throw new FsError('EINVAL', { syscall: 'readlink', path: showPath(path) });
    return nameAs(node.entry.link, encoding === 'buffer' ? 'buffer' : 'utf8');
  }

  const fs = {
    readFile,
    readdir,
    readlink,
    async stat(path: PathLike) {
      return new ImageStats(await paths.resolve(path, { followLast: true, syscall: 'stat' }));
    },
    async lstat(path: PathLike) {
      return new ImageStats(await paths.resolve(path, { followLast: false, syscall: 'lstat' }));
    },
    async realpath(path: PathLike) {
      const node = await paths.resolve(path, { followLast: true, syscall: 'realpath' });
      return `/${byteStringToText(node.path)}`;
    },
    async access(path: PathLike, mode: number = constants.F_OK) {
      const node = await paths.resolve(path, { followLast: true, syscall: 'access' });
      const about = { syscall: 'access', path: showPath(path) };
      if (mode & constants.W_OK) throw new FsError('EROFS', about);
      const executable = node.entry.type === 'directory' || (node.entry.mode & 0o111) !== 0;
      if (mode & constants.X_OK && !executable) throw new FsError('EACCES', about);
    },
    async exists(path: PathLike) {
      try {
        await paths.resolve(path, { followLast: true, syscall: 'access' });
        return true;
      } catch (error) {
        if (error instanceof FsError) return false;
        throw error;
      }
    },
    async open(path: PathLike, flags: string | number = 'r') {
      if (flags !== 'r' && flags !== constants.O_RDONLY) {
        throw new FsError('EROFS', { syscall: 'open', path: showPath(path) });
      }
      const node = await paths.resolve(path, { followLast: true, syscall: 'open' });
      return createFileHandle(reader, node, showPath(path));
    },
    createReadStream(path: PathLike, options: BufferEncoding | ReadStreamOptions = {}) {
      const how = typeof options === 'string' ? { encoding: options } : options;
      const { start = 0, end = Number.POSITIVE_INFINITY } = how;
      if (start > end) throw new RangeError(`start ${start} is beyond end ${end}`);
      async function* chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
        const node = await paths.resolve(path, { followLast: true, syscall: 'open' });
        try {
          yield* reader.read(node, { offset: start, length: end - start + 1, signal });
        } catch (error) {
          throw toFsError(error, 'read', showPath(path));
        }
      }
      return createChunkStream(chunks, how);
    },
    get promises(): ImageFs {
      return fs;
    },
  } as ImageFs;
  return fs;
}
