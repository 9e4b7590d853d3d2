"use strict";
// Unpacks what the page holds: figures in their order, then the files to download.
(async () => {
  const packed = JSON.parse(document.getElementById("packed").textContent);
  const links = {};
  async function unpack(id) {
    const [type, text] = packed[id];
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const flow = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return URL.createObjectURL(new Blob([await new Response(flow).arrayBuffer()], { type }));
  }
  for (const [kind, link] of [["img", "src"], ["a", "href"]]) {
    for (const place of document.querySelectorAll(`${kind}[data-file]`)) {
      const id = place.dataset.file;
      place[link] = links[id] ??= await unpack(id);
    }
  }
})();
