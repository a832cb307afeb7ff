/** Counters and histograms in Prometheus' text format (exposition format 0.0.4). */

type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(amount: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface Registry {
  /** A counter without labels is shown from the start, as 0. */
  counter(name: string, help: string, labelled?: boolean): Counter;
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  text(): string;
}

interface Series {
  counts: number[];
  sum: number;
  count: number;
}

export function createRegistry(): Registry {
  const families: (() => string[])[] = [];
  const head = (name: string, help: string, type: string) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
  ];

  return {
    counter(name, help, labelled = false) {
      const values = new Map<string, number>(labelled ? [] : [['', 0]]);
      families.push(() => [
        ...head(name, help, 'counter'),
        ...[...values].map(([labels, value]) => `${name}${braced(labels)} ${value}`),
      ]);
      return {
        add(amount, labels) {
          const key = labelsText(labels);
          values.set(key, (values.get(key) ?? 0) + amount);
        },
      };
    },
    histogram(name, help, buckets) {
      const all = new Map<string, Series>();
      families.push(() => {
        const lines = head(name, help, 'histogram');
        for (const [labels, { counts, sum, count }] of all) {
          const comma = labels === '' ? '' : ',';
          let below = 0;
          for (const [i, bound] of buckets.entries()) {
            below += counts[i] ?? 0;
            lines.push(`${name}_bucket{${labels}${comma}le="${bound}"} ${below}`);
          }
          lines.push(`${name}_bucket{${labels}${comma}le="+Inf"} ${count}`);
          lines.push(`${name}_sum${braced(labels)} ${sum}`, `${name}_count${braced(labels)} ${count}`);
        }
        return lines;
      });
      return {
        observe(value, labels) {
          const key = labelsText(labels);
          let series = all.get(key);
          if (series === undefined) {
            series = { counts: buckets.map(() => 0), sum: 0, count: 0 };
            all.set(key, series);
          }
          const bucket = buckets.findIndex((bound) => value <= bound);
          if (bucket >= 0) series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
          series.sum += value;
          series.count++;
        },
      };
    },
    text() {
      return `${families.flatMap((lines) => lines()).join('\n')}\n`;
    },
  };
}

function labelsText(labels: Labels = {}): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`)
    .join(',');
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}
