import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import { decodeText } from "../../lib/io/text_file.ts";

const TEXT = "path,label\nbär.png,größe 🐺\n";

/** UTF-16, with or without its mark. */
function utf16(text: string, little: boolean, mark = true): Uint8Array {
  const units = [...(mark ? "\ufeff" : "") + text].flatMap((c) => c.split(""));
  return Uint8Array.from(units.flatMap((unit) => {
    const code = unit.charCodeAt(0), pair = [code & 255, code >> 8];
    return little ? pair : pair.reverse();
  }));
}

const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** The message of the error that is due. */
function refused(bytes: Uint8Array): string {
  try {
    decodeText(bytes, "a\nlist.csv");
  } catch (error) {
    assert.ok(error instanceof HatchlingError);
    return error.message;
  }
  assert.fail("it was read");
}

Deno.test("decodeText() reads UTF-8 and UTF-16 by its mark, without the mark", () => {
  const utf8 = new TextEncoder();
  for (
    const bytes of [
      utf8.encode(TEXT),
      utf8.encode("\ufeff" + TEXT),
      utf16(TEXT, true),
      utf16(TEXT, false),
    ]
  ) assert.equal(decodeText(bytes, "list.csv"), TEXT);
  assert.equal(decodeText(new Uint8Array(0), "list.csv"), "");
});

Deno.test("decodeText() names another encoding, the place and the remedy", () => {
  assert.equal(
    refused(latin1("path,label\nb\xe4r.png,wolf\n")),
    "Expected text in UTF-8 in a\\x0alist.csv but found the byte 0xe4 at byte 12, line 2: likely Latin-1 or " +
      "Windows-1252: save it as UTF-8, `iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW` does it",
  );
  assert.match(refused(latin1("caf\xe9")), /0xe9 at byte 3, line 1/);
  assert.match(refused(latin1("a\n\n\xff")), /0xff at byte 3, line 3/);
  for (const little of [true, false]) {
    const name = little ? "UTF-16LE" : "UTF-16BE";
    const message = refused(utf16("path\na.png\nb.png", little, false));
    assert.ok(message.includes(`likely ${name} without a byte order mark`), message);
    assert.ok(message.includes(`iconv -f ${name} -t UTF-8`), message);
  }
  const marked = latin1("\xef\xbb\xbfb\xe4r");
  assert.match(refused(marked), /byte 0xe4 that is no UTF-8, which its mark announces, at byte 4/);
});

Deno.test("decodeText() refuses what is cut off, UTF-32 and what is no text", () => {
  assert.match(refused(utf16("ab", true).subarray(0, 5)), /no UTF-16LE.* at byte 4, line 1/);
  assert.match(refused(Uint8Array.of(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0)), /UTF-32/);
  assert.match(refused(latin1("\x89PNG\r\n\x1a\n\0\0\0\rIHDR")), /it is no text/);
});
