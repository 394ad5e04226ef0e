/** The folder of the files that the pages load. */
export const assetsPath = "/assets/";

/** Four cells of a heat map. */
const icon =
  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='#414487' d='M0 0h8v8H0z'/>" +
  "<path fill='#22a884' d='M8 0h8v8H8z'/><path fill='#2a788e' d='M0 8h8v8H0z'/><path fill='#fde725' d='M8 8h8v8H8z'/></svg>";

/** The document of every page. It has no script and no style of its own, which its policy would refuse.
 *  @param names of the files to load */
export function pageHtml({ script, style }: { readonly script: string; readonly style: string }): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>GPU telemetry</title>
    <link rel="icon" href="data:image/svg+xml,${encodeURIComponent(icon)}">
    <link rel="stylesheet" href="${assetsPath}${style}">
    <script type="module" src="${assetsPath}${script}"></script>
  </head>
  <body>
    <noscript>This page needs JavaScript. The same data are at /api/v1/gpus and /api/v1/telemetry/latest; /docs describes them.</noscript>
  </body>
</html>
`;
}
