/** Platforms: parse, print, and choose as containerd does (containerd/platforms, `compare.go` and `database.go`). */

import { ClipError } from '../errors.js';
import type { Descriptor, Platform } from './descriptor.js';

const PART = /^[A-Za-z0-9_.-]{1,64}$/;

/** Parses `os/arch[/variant]`, `arch` or `os` alone as containerd does. Throws USAGE. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  const wrong = new ClipError('USAGE', `${JSON.stringify(text.slice(0, 200))} is no platform`, {
    hint: 'write os/arch or os/arch/variant, such as linux/arm64',
  });
  if (parts.length > 3 || !parts.every((part) => PART.test(part))) throw wrong;
  const [first, second, third] = parts as [string, string?, string?];
  if (second !== undefined) return normalisePlatform(makePlatform(first, second, third));
  const architecture = normalisePlatform({ os: 'linux', architecture: first });
  if (KNOWN_ARCHITECTURES.has(architecture.architecture)) return architecture;
  if (KNOWN_SYSTEMS.has(first.toLowerCase())) return normalisePlatform({ ...hostPlatform(), os: first });
  throw wrong;
}

const KNOWN_SYSTEMS = new Set(['linux', 'windows', 'darwin', 'freebsd']);
const KNOWN_ARCHITECTURES = new Set(
  '386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x wasm'.split(' '),
);

function makePlatform(os: string, architecture: string, variant: string | undefined): Platform {
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

export function printPlatform(platform: Platform): string {
  const variant = platform.variant === undefined ? '' : `/${platform.variant}`;
  return `${platform.os}/${platform.architecture}${variant}`;
}

/** Linux (images of other systems are asked for by name) on this machine's architecture. */
export function hostPlatform(arch: string = process.arch): Platform {
  const names: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mipsel: 'mipsle' };
  return normalisePlatform({ os: 'linux', architecture: names[arch] ?? arch });
}

/** One spelling for each platform: x86_64 is amd64, aarch64 and arm64/v8 are arm64, arm is arm/v7. */
export function normalisePlatform(platform: Platform): Platform {
  const system = platform.os.toLowerCase();
  const os = system === 'macos' ? 'darwin' : system;
  let architecture = platform.architecture.toLowerCase();
  let variant = platform.variant?.toLowerCase();
  switch (architecture) {
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      architecture = 'amd64';
      if (variant === 'v1') variant = undefined;
      break;
    case 'i386':
    case 'i686':
      architecture = '386';
      variant = undefined;
      break;
    case 'aarch64':
    case 'arm64':
      architecture = 'arm64';
      if (variant === '8' || variant === 'v8' || variant === 'v8.0') variant = undefined;
      break;
    case 'armhf':
      architecture = 'arm';
      variant = 'v7';
      break;
    case 'armel':
      architecture = 'arm';
      variant = 'v6';
      break;
    case 'arm':
      if (variant === undefined || variant === '7') variant = 'v7';
      else if (/^[568]$/.test(variant)) variant = `v${variant}`;
      break;
  }
  const result = makePlatform(os, architecture, variant);
  const version = platform['os.version'];
  return version === undefined ? result : { ...result, 'os.version': version };
}

/** What runs on `platform`, best first: itself, then lower variants, then the architecture it also executes. */
export function compatiblePlatforms(platform: Platform): Platform[] {
  const wanted = normalisePlatform(platform);
  const { os, architecture, variant } = wanted;
  const result = [makePlatform(os, architecture, variant)];
  const level = Number(/^v([0-9]{1,2})(?:\.|$)/.exec(variant ?? '')?.[1] ?? Number.NaN);
  if (architecture === 'amd64') {
    for (let v = level - 1; v >= 1; v--)
      result.push(makePlatform(os, 'amd64', v === 1 ? undefined : `v${v}`));
    result.push({ os, architecture: '386' });
  } else if (architecture === 'arm') {
    for (let v = level - 1; v >= 5; v--) result.push(makePlatform(os, 'arm', `v${v}`));
  } else if (architecture === 'arm64') {
    if (variant !== undefined) result.push({ os, architecture });
    for (let v = 8; v >= 5; v--) result.push(makePlatform(os, 'arm', `v${v}`));
  }
  return result;
}

/** How well `offered` suits `wanted`: 0 is best, undefined is not at all. */
export function platformRank(wanted: Platform, offered: Platform): number | undefined {
  const normal = normalisePlatform(offered);
  if (wanted['os.version'] !== undefined && wanted['os.version'] !== offered['os.version']) return undefined;
  const rank = compatiblePlatforms(wanted).findIndex(
    (p) => p.os === normal.os && p.architecture === normal.architecture && p.variant === normal.variant,
  );
  return rank < 0 ? undefined : rank;
}

/** Whether a descriptor of an image index is a build attestation (BuildKit), not an image to run. */
export function isAttestation(descriptor: Descriptor): boolean {
  if (descriptor.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest') return true;
  return descriptor.platform?.os === 'unknown' && descriptor.platform.architecture === 'unknown';
}
