/** Links and headings of Markdown, as GitHub reads it. */

/** The targets of links that are no URLs, in the order of the text; code is left out. */
export function linksIn(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((link) => !/^[a-z]+:/.test(link));
}

/** Their anchors: lower case, no punctuation, hyphens for spaces, a number for each repetition. */
export function headingsOf(markdown: string): string[] {
  const seen = new Map<string, number>();
  return [...withoutCode(markdown).matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading]) => {
    const slug = heading!
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

function withoutCode(markdown: string): string {
  return markdown.replace(/^(```+|~~~+)[\s\S]*?^\1 *$/gm, "");
}
