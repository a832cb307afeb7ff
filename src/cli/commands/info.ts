import { escapeText } from '../../escape.js';
import type { INFO_FLAGS, Input } from '../command-flags.js';
import type { Context } from '../context.js';
import { type InfoJson, infoToJson, type LayerJson } from '../output/info-json.js';
import { table } from '../output/table.js';
import { counted, formatSize } from '../units.js';

/** `clip info`: the image, its layers and its index. */
export async function run(context: Context, { args, flags }: Input<typeof INFO_FLAGS>): Promise<void> {
  if (flags.platforms) return await platforms(context, args[0]!, flags.json);
  const info = await infoToJson(args[0]!, await context.open(args[0]!), context.signal);
  await context.stdout.print(flags.json ? `${JSON.stringify(info, null, 2)}\n` : describe(info, context));
}

/** `clip info --platforms`: one a line, for the shell. */
async function platforms(context: Context, target: string, json: boolean): Promise<void> {
  const { listImagePlatforms } = await import('../../build/list-image-platforms.js');
  const { source, platforms: found } = await listImagePlatforms(target, context.openOptions);
  const names = found.map(escapeText);
  const document = { schema: 1, target, image: { source }, platforms: names };
  const text = names.map((name) => `${name}\n`).join('');
  await context.stdout.print(json ? `${JSON.stringify(document, null, 2)}\n` : text);
}

const ORIGINS: Record<string, string> = {
  file: 'the file that was given',
  store: 'found in the local store',
  registry: 'found beside the image in the registry',
  built: 'built now',
  mixed: 'built here, with layers that others indexed and pushed to the registry',
};

const COLUMNS = [
  { title: 'LAYER', align: 'left' },
  { title: 'ENCODING', align: 'left' },
  { title: 'SIZE', align: 'right' },
  { title: 'UNCOMPRESSED', align: 'right' },
  { title: 'ENTRIES', align: 'right' },
  { title: 'CHECKPOINTS', align: 'right' },
  { title: 'MEDIA TYPE', align: 'left' },
] as const;

function describe({ image, index, layers }: InfoJson, { style }: Context): string {
  const share = index.share === null ? '' : `, ${(index.share * 100).toFixed(2)} % of the layers`;
  const sizes = `${formatSize(image.compressedSize)} compressed, ${formatSize(image.uncompressedSize)} uncompressed`;
  const spacing = `a checkpoint about every ${formatSize(index.spacing)}`;
  const lines = [
    ['Image', image.source ?? '-'],
    ['Manifest', `${image.manifestDigest} (${image.mediaType})`],
    ['Platform', image.platform],
    ['Created', image.created ?? '-'],
    ['Layers', `${layers.length}: ${sizes}`],
    ['Tree', counted(index.names, 'name')],
    ['Index', `${index.path} (${formatSize(index.size)}${share})`],
    ['Identity', `${index.identity} (${ORIGINS[index.origin] ?? index.origin})`],
    ['Format', `version ${index.formatVersion}, ${spacing}`],
  ] as const;
  const head = lines.map(([name, value]) => `${style.bold(`${name}:`.padEnd(9))} ${escapeText(value)}\n`);
  const notes = layers.filter(isOneFrame).map(noRandomAccess);
  return `${head.join('')}\n${table(COLUMNS, layers.map(layerRow))}${notes.join('')}`;
}

function layerRow(layer: LayerJson): string[] {
  return [
    layer.digest,
    layer.encoding,
    formatSize(layer.size),
    formatSize(layer.uncompressedSize),
    String(layer.entries),
    String(layer.checkpoints),
    escapeText(layer.mediaType),
  ];
}

function isOneFrame(layer: LayerJson): boolean {
  return layer.encoding === 'zstd' && layer.checkpoints === 1;
}

function noRandomAccess(layer: LayerJson): string {
  return `note: ${layer.digest} is a single zstd frame without random access: a read inflates it from its beginning\n`;
}
