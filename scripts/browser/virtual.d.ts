/** The README's example, put in by the build (`scripts/test-browser.mjs`). */
declare module "virtual:readme-example";
