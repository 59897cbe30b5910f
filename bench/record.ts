/** `RESULTS.md`: what `npm run bench -- --record` writes, the newest run first. */
import { markdownOf, type Picture, type Table } from "./report.ts";

/** Where and when a run was made. */
export interface Conditions {
  readonly date: Date;
  readonly node: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly platform: string;
  /** Of the last minute, before the run began: what else the machine was doing. */
  readonly load: number;
  /** Short name of the commit, with a `+` if files were changed since; none outside of a repository. */
  readonly commit?: string;
}

/** What one question said. */
export interface Answer {
  readonly question: string;
  readonly tables: readonly Table[];
  readonly pictures: readonly Picture[];
  /** Everything that it printed. It stands for the tables where there are none. */
  readonly output: string;
  readonly failed: boolean;
}

const MARK = "<!-- runs, the newest first -->";
const INTRODUCTION = `# Results

What \`npm run bench -- --record\` measured. Every figure is from one machine at one time: compare within a run, not across.
The values are medians, and in parentheses the least and the most of the rounds. [README.md](README.md) says what each
question measures, and how.

${MARK}
`;

/** One line that says where and when. */
export function conditionsLine(conditions: Conditions): string {
  const { date, node, cores, cpu, memoryGiB, platform, load, commit } = conditions;
  const words = [
    `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`,
    `Node.js ${node}`,
    `${cores} × ${cpu}`,
    `${memoryGiB.toFixed(0)} GiB`,
    platform,
    `load ${load.toFixed(2)} before`,
  ];
  return [...words, ...(commit === undefined ? [] : [`commit ${commit}`])].join(", ");
}

/** What stands in `RESULTS.md` of one run. */
export function runSection(conditions: Conditions, answers: readonly Answer[]): string {
  const title = `## ${conditions.date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return [title, `${conditionsLine(conditions)}.`, ...answers.map(answerSection)].join("\n\n");
}

/** `previous` (empty if there is none yet) with this run before all others. */
export function withRun(previous: string, section: string): string {
  const at = previous.indexOf(MARK);
  const earlier = at < 0 ? "" : previous.slice(at + MARK.length).trim();
  return `${INTRODUCTION}\n${section.trim()}\n${earlier === "" ? "" : `\n${earlier}\n`}`;
}

function answerSection({ question, tables, pictures, output, failed }: Answer): string {
  const parts = [`### ${question}`];
  if (failed) parts.push("**It failed; what it printed:**");
  if (failed || tables.length === 0) parts.push(`\`\`\`text\n${output.trim()}\n\`\`\``);
  else parts.push(...tables.map(markdownOf));
  parts.push(...pictures.map(({ caption, file }) => `![${caption}](results/${file})`));
  return parts.join("\n\n");
}
