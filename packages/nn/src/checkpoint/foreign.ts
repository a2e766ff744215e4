/** Files that are no weights, or weights of another program or wrapping: what each is, and the cure. */
import { plain } from "./words.ts";

/** A file of another kind: the bytes that it starts with, and the sentence's end. */
const signatures: readonly (readonly [start: string, sentence: string])[] = [
  ["\x1f\x8b", "compressed with gzip. Unpack it with gunzip or, where it is a .tar.gz, with tar -xzf"],
  ["\x28\xb5\x2f\xfd", "compressed with zstd. Unpack it with zstd -d"],
  ["\xfd7zXZ\0", "compressed with xz. Unpack it with xz -d"],
  ["BZh", "compressed with bzip2. Unpack it with bunzip2"],
  ["7z\xbc\xaf\x27\x1c", "a 7z archive. Unpack it, and pass the file of weights inside"],
  ["Rar!\x1a\x07", "a RAR archive. Unpack it, and pass the file of weights inside"],
  [
    "\x89HDF\r\n\x1a\n",
    "HDF5 (Keras and others). In Python, save the weights with safetensors.numpy.save_file",
  ],
  ["GGUF", "GGUF (llama.cpp), which is not read. Download the weights as .safetensors"],
  [
    "\x93NUMPY",
    "a NumPy array (.npy). In Python, save it with safetensors.numpy.save_file({name: array}, path)",
  ],
  ["%PDF-", "a PDF document, not weights"],
  ["\x89PNG", "a PNG image, not weights"],
  ["\xff\xd8\xff", "a JPEG image, not weights"],
  ["\x7fELF", "a program (ELF), not weights"],
];

/**
 * What a file is that is neither safetensors nor torch.save's, as a sentence, or undefined where that is not known.
 *
 * @param head its first bytes, 512 where there are as many
 * @param size bytes of the file
 */
export function foreignFile(head: Uint8Array, size: number): string | undefined {
  if (size === 0) return "the file is empty (0 bytes). Download or save it again.";
  const start = Array.from(head.subarray(0, 512), (byte) => String.fromCharCode(byte)).join("");
  const signature = signatures.find(([bytes]) => start.startsWith(bytes));
  if (signature) return `the file is ${signature[1]}.`;
  if (start.slice(257, 262) === "ustar") {
    return "the file is a tar archive. Unpack it with tar -xf, and pass the file of weights inside.";
  }
  if (head.every((byte) => byte === 0) && head.length >= 8) {
    return "the file starts with zeros only, so the download did not end. Download it again.";
  }
  return textFile(start, size);
}

function textFile(start: string, size: number): string | undefined {
  const text = start.replace(/^\xef\xbb\xbf/, "").trimStart();
  if (text.startsWith("version https://git-lfs.github.com/spec/")) {
    const whole = /^size (\d{1,20})$/m.exec(text)?.[1];
    const weights = whole === undefined ? "the weights" : `the weights, which have ${whole} bytes`;
    return `the file is a Git LFS pointer (${size} bytes), not ${weights}. Run git lfs pull in its folder.`;
  }
  if (/^(<!doctype\s+html|<html|<head|<!--|<\?xml|<body|<script)/i.test(text)) {
    return "the file is a web page, not weights: such a download shows a log-in or an error. Open it to see which, log in where it asks for that, and download the file itself.";
  }
  if (/^[{[]\s*("|$|[}\]])/.test(text)) {
    return text.includes('"weight_map"') || text.includes('"total_size"')
      ? "the file is the index of weights in several files. Read the files that it names."
      : "the file is JSON, not weights. A message of a server may be in it.";
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a text has none of these
  if (!/[\x00-\x08\x0e-\x1f\x7f-\xff]/.test(start)) {
    return `the file is a text, not weights; it starts with "${plain(text.slice(0, 40))}".`;
  }
  return undefined;
}
