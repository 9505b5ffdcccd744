// Renders Markdown with `marked` from npm, and makes a table of contents.
//
//   nexus run examples/markdown.ts --args '{"text": "# Hello\n\n*world*"}'
//   nexus run examples/markdown.ts --workspace .:ro --cap ext:code.read --args '{"path": "README.md"}' > readme.html

import { marked, type Tokens } from 'marked';

export default async function render({ args, ext }: Context<{ text?: string; path?: string; toc?: boolean }>) {
  const text = args.text ?? (await ext.code.read(args.path ?? 'README.md'));
  const tokens = marked.lexer(text);
  const headings = tokens.filter((token): token is Tokens.Heading => token.type === 'heading');
  const contents = headings.map((h) => ({ depth: h.depth, title: h.text, id: slug(h.text) }));
  const renderer = new marked.Renderer();
  renderer.heading = function ({ tokens: inner, depth, text: title }) {
    return `<h${depth} id="${slug(title)}">${this.parser.parseInline(inner)}</h${depth}>\n`;
  };
  // The text may come from anyone: markup in it is shown, never passed on.
  renderer.html = ({ text: raw }) => raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const html = marked.parser(tokens, { renderer });
  return args.toc ? { contents, html } : html;
}

function slug(title: string): string {
  return title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');
}
