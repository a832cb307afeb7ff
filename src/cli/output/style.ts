/** The few looks that clip uses; without colours every one is the text itself, and chalk is not loaded. */
export interface Style {
  bold(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  green(text: string): string;
  blue(text: string): string;
  cyan(text: string): string;
}

const same = (text: string): string => text;

export const PLAIN: Style = {
  bold: same,
  red: same,
  yellow: same,
  green: same,
  blue: same,
  cyan: same,
};

export async function loadStyle(colour: boolean): Promise<Style> {
  if (!colour) return PLAIN;
  const { Chalk } = await import('chalk');
  return new Chalk({ level: 1 });
}
