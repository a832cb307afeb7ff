/** The header `Link` (RFC 8288). Each pattern takes what it has begun to the end of the text, so that none is tried twice. */

/** A target, and its parameters up to a comma that stands in no string. */
const LINK = /<([^<>]*)>((?:[^,"]|"(?:[^"\\]|\\.)*(?:"|\\?$))*)/g;
const PARAMETER = /;\s*([^\s=;"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)(?:"|\\?$)|([^\s;"]*)))?/g;

/** The targets of the links that have this relation, as they are written. */
export function linkTargets(header: string, relation: string): string[] {
  return [...header.matchAll(LINK)]
    .filter(([, , parameters = '']) => relationsOf(parameters).includes(relation))
    .map(([, target = '']) => target);
}

/** Only the first `rel` of a link counts; it may name several. */
function relationsOf(parameters: string): string[] {
  for (const [, name, quoted, token] of parameters.matchAll(PARAMETER)) {
    if (name?.toLowerCase() === 'rel') return (quoted ?? token ?? '').toLowerCase().split(/\s+/);
  }
  return [];
}
