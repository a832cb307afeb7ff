/**
 * What refers to a manifest (distribution-spec 1.1, "Listing Referrers"), and the list that stands in for that where a registry
 * does not know (ibid., "Referrers Tag Schema"): an image index under the tag `sha256-<hex>`.
 */

import { readBody } from '../../http/client.js';
import type { HttpResponse } from '../../http/transport.js';
import type { Descriptor } from '../../oci/descriptor.js';
import { asArray, corrupt, type JsonObject, MAX_DOCUMENT, own, parseJsonObject } from '../../oci/json.js';
import { OCI_INDEX } from '../../oci/media-types.js';
import { parseDescriptor } from '../../oci/parse-descriptor.js';
import type { ReadOptions } from '../source.js';
import type { RepositoryApi } from './api.js';
import { linkTargets } from './link-header.js';
import { registryError } from './registry-error.js';

/** A list is not followed further than this: whoever may push can make it as long as they like. */
const MAX_PAGES = 16;
const MAX_REFERRERS = 4096;

export interface ListOptions extends ReadOptions {
  /** As of an `HttpRequest`: who can do without the list does not wait long for it. */
  patience?: number;
}

export interface Referrers {
  /**
   * Descriptors of the artifacts of one type whose subject is `subject`, in the registry's order. Two requests where the registry
   * has no referrers API, and one from then on. Throws what the connection throws, REGISTRY, UNAUTHORIZED, DENIED, CORRUPT_IMAGE.
   */
  list(subject: string, artifactType: string, options: ListOptions): Promise<Descriptor[]>;
  /** Whether the registry has a referrers API; undefined before it was asked. */
  readonly hasApi: boolean | undefined;
}

export function createReferrers(
  api: RepositoryApi,
  names: { registry: string; repository: string },
): Referrers {
  let hasApi: boolean | undefined;

  async function fromApi(
    subject: string,
    artifactType: string,
    options: ListOptions,
  ): Promise<Descriptor[] | undefined> {
    const message = { method: 'GET', headers: { accept: OCI_INDEX }, patience: options.patience } as const;
    const found: Descriptor[] = [];
    let next: string | URL | undefined =
      `referrers/${subject}?artifactType=${encodeURIComponent(artifactType)}`;
    for (let page = 0; next !== undefined && page < MAX_PAGES && found.length < MAX_REFERRERS; page++) {
      const response = await api.send(next, message, options);
      const { status } = response;
      const isJson = /json/i.test(response.headers['content-type'] ?? '');
      // Registries without the API say 404, older proxies 405; some that know no such path answer with a page for people.
      if (page === 0 && (status === 404 || status === 405 || (status === 200 && !isJson))) {
        await response.body.discard();
        return undefined;
      }
      if (status !== 200) throw await refused(response, subject);
      next = nextPage(response, api.origin);
      found.push(...(await readList(response, subject)).list);
    }
    return found;
  }

  async function refused(response: HttpResponse, subject: string) {
    const what = `the referrers of ${names.registry}/${names.repository}@${subject}`;
    return await registryError(response, { what, login: names.registry });
  }

  return {
    get hasApi() {
      return hasApi;
    },
    async list(subject, artifactType, options) {
      const answer = hasApi === false ? undefined : await fromApi(subject, artifactType, options);
      hasApi ??= answer !== undefined;
      const all = answer ?? (await readReferrersTag(api, subject, { ...options, ...names })).list;
      // A registry need not filter, and the tag never does.
      return all.filter((descriptor) => descriptor.artifactType === artifactType);
    },
  };
}

/** The tag that stands for a subject's referrers: algorithm and hex cut to 32 and 64 characters. */
export function referrersTag(subject: string): string {
  const [algorithm = '', hex = ''] = subject.split(':');
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

export interface ReferrersTag {
  list: Descriptor[];
  /** The image index as it was read, with all that others wrote into it; empty where there is none. */
  document: JsonObject;
  /** For a conditional update, where the registry gives one. */
  etag: string | undefined;
}

/** The list under a subject's tag; empty where there is none. Throws CORRUPT_IMAGE where the tag names something else. */
export async function readReferrersTag(
  api: RepositoryApi,
  subject: string,
  options: ListOptions & { registry: string; repository: string },
): Promise<ReferrersTag> {
  const tag = referrersTag(subject);
  const message = { method: 'GET', headers: { accept: OCI_INDEX }, patience: options.patience } as const;
  const response = await api.send(`manifests/${tag}`, message, options);
  if (response.status === 404) {
    await response.body.discard();
    return { list: [], document: {}, etag: undefined };
  }
  if (response.status !== 200) {
    const what = `${options.registry}/${options.repository}:${tag}`;
    throw await registryError(response, { what, login: options.registry });
  }
  return { etag: response.headers.etag, ...(await readList(response, subject)) };
}

async function readList(
  response: HttpResponse,
  subject: string,
): Promise<Pick<ReferrersTag, 'list' | 'document'>> {
  const what = `the list of what refers to ${subject}`;
  const document = parseJsonObject(await readBody(response, MAX_DOCUMENT, what), what);
  if (own(document, 'manifests') === undefined) throw corrupt(what, 'is no image index');
  const manifests = asArray(own(document, 'manifests') ?? [], `${what} .manifests`, MAX_REFERRERS);
  return { list: manifests.map((entry, i) => parseDescriptor(entry, `${what} .manifests[${i}]`)), document };
}

/**
 * The bytes of the image index with one entry more, and all else as others wrote it: they may put more there than clip knows. Throws
 * CORRUPT_IMAGE.
 */
export function withReferrer(document: JsonObject, entry: Descriptor): Buffer {
  const manifests = (own(document, 'manifests') ?? []) as readonly unknown[];
  const all = { ...document, schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...manifests, entry] };
  try {
    return Buffer.from(JSON.stringify(all));
  } catch (error) {
    // JSON of any depth can be parsed; writing it takes a stack.
    if (!(error instanceof RangeError)) throw error;
    throw corrupt('the list of what refers to the image', 'is nested too deeply');
  }
}

/** The next page of a list: only of this registry. */
function nextPage(response: HttpResponse, origin: string): URL | undefined {
  const [target] = linkTargets(response.headers.link ?? '', 'next');
  if (target === undefined || !URL.canParse(target, response.url.href)) return undefined;
  const url = new URL(target, response.url);
  return url.origin === origin ? url : undefined;
}
