/** What tests in a real browser share. */
import type { Browser, Page } from "puppeteer-core";
import { lacks, testUnless, withFolder } from "./permissions.ts";

/** Where Chromium may be. */
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Milliseconds that anything may take to be seen. */
export const LIMIT = 60_000;

const missing = lacks("read", "write", "run", "net", "env", "sys");
/** Where Chromium is; undefined where it is not, or may not be started. */
export const chromium: string | undefined = missing ? undefined : PLACES.find((place) => {
  try {
    return Deno.statSync(place).isFile;
  } catch {
    return false;
  }
});

/** WebGPU by a processor: Chromium's own SwiftShader. */
export const WEBGPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
];

/** Waits until the page shows a text. */
export const sees = (page: Page, text: string) =>
  page.waitForFunction(
    (text: string) => document.body.innerText.includes(text),
    { timeout: LIMIT, polling: 50 },
    text,
  );

/** Waits until so many curves of a dashboard are drawn. */
export const draws = (page: Page, charts: number) =>
  page.waitForFunction(
    (charts: number) => {
      const images = [...document.querySelectorAll<HTMLImageElement>(".chart img")];
      return images.length === charts && images.every((image) => image.naturalWidth > 0);
    },
    { timeout: LIMIT, polling: 50 },
    charts,
  );

/** Presses a button; through the document, as a tab in the background gets no mouse. */
export const press = (page: Page, text: string) =>
  page.waitForFunction(
    (text: string) => {
      const button = [...document.querySelectorAll("button")].find((b) => b.innerText === text);
      button?.click();
      return !!button;
    },
    { timeout: LIMIT, polling: 50 },
    text,
  );

/** Opens a page that must not complain about anything. */
export async function open(browser: Browser, url: string, complaints: string[]): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A server that is gone is the browser's complaint, and expected.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
      complaints.push(message.text());
    }
  });
  await page.goto(url);
  return page;
}

/** A test with a browser and a temporary folder; ignored where there is no Chromium. */
export function browserTest(
  name: string,
  fn: (browser: Browser, folder: string) => Promise<void>,
  { flags = [], reason = "" }: { flags?: readonly string[]; reason?: string } = {},
): void {
  testUnless(
    [missing, chromium ? "" : "no Chromium here", reason],
    name,
    () =>
      withFolder(async (folder) => {
        const { launch } = await import("puppeteer-core");
        const browser = await launch({
          executablePath: chromium,
          args: ["--no-sandbox", ...flags],
          timeout: LIMIT,
        });
        try {
          await fn(browser, folder);
        } finally {
          await browser.close();
        }
      }),
    { sanitizeOps: false, sanitizeResources: false },
  );
}
