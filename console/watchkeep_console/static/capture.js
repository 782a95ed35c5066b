// Camera, QR code and signature of the technician's forms: photos are made small before they go over a bad line.
window.wkCapture = (() => {
  const LONGEST = 1600, SMALL = 400 * 1024;

  // The camera's own EXIF (place, time, orientation) is kept: it is part of the evidence. It stands after FF D8.
  const exif = async (file) => {
    const view = new DataView(await file.slice(0, 131072).arrayBuffer());
    for (let at = 2; at + 4 < view.byteLength && view.getUint8(at) === 0xff;) {
      const length = view.getUint16(at + 2) + 2;
      if (view.getUint8(at + 1) === 0xe1) return view.buffer.slice(at, at + length);
      if (view.getUint8(at + 1) === 0xda) break;
      at += length;
    }
    return new ArrayBuffer(0);
  };
  const shrink = async (file) => {
    if (file.size <= SMALL || file.type !== "image/jpeg") return file;
    try {
      const image = await createImageBitmap(file, { imageOrientation: "none" }); // the EXIF that is kept turns it
      const scale = Math.min(1, LONGEST / Math.max(image.width, image.height));
      const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      const small = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.82));
      if (!small || small.size >= file.size) return file;
      return new File([small.slice(0, 2), await exif(file), small.slice(2)], file.name, { type: "image/jpeg" });
    } catch { return file; } // the server takes it as it is
  };
  const fields = async (form) => {
    const found = [];
    for (const [name, value] of new FormData(form)) {
      if (!(value instanceof File)) found.push([name, value, ""]);
      else if (value.size) { const photo = await shrink(value); found.push([name, photo, value.name || "photo.jpg"]); }
    }
    const pad = form.querySelector("canvas.pad");
    if (pad?.dataset.drawn) found.push(["drawn", await new Promise((resolve) => pad.toBlob(resolve, "image/png")), "signature.png"]);
    return found;
  };

  // --- QR code: the camera where the browser can read codes, else the number is typed
  const scan = async (input) => {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    const view = document.createElement("dialog"), video = document.createElement("video");
    view.className = "scanner";
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    close.setAttribute("aria-label", input.dataset.close);
    view.append(video, close);
    document.body.append(view);
    view.showModal();
    video.srcObject = stream;
    video.playsInline = true;
    await video.play();
    const end = () => { stream.getTracks().forEach((track) => track.stop()); view.remove(); };
    close.addEventListener("click", end);
    view.addEventListener("close", end);
    while (view.isConnected) {
      const [code] = await detector.detect(video).catch(() => []);
      if (code) { input.value = code.rawValue; input.dispatchEvent(new Event("change")); navigator.vibrate?.(80); end(); }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  for (const button of document.querySelectorAll("button[data-scan]")) {
    const input = document.getElementById(button.dataset.scan);
    button.hidden = !("BarcodeDetector" in window && navigator.mediaDevices);
    button.addEventListener("click", () => scan(input).catch(() => input.focus()));
  }

  // --- signature: drawn with a finger; the name beside it is typed
  for (const pad of document.querySelectorAll("canvas.pad")) {
    const pen = pad.getContext("2d"), field = document.getElementById("signature");
    pad.hidden = false;
    const at = (event) => [event.offsetX * pad.width / pad.clientWidth, event.offsetY * pad.height / pad.clientHeight];
    pad.addEventListener("pointerdown", (event) => {
      if (!pad.dataset.drawn) { pen.fillStyle = "#fff"; pen.fillRect(0, 0, pad.width, pad.height); }
      pad.dataset.drawn = "1";
      pad.setPointerCapture(event.pointerId);
      Object.assign(pen, { lineWidth: 3, lineCap: "round", strokeStyle: "#10222d" });
      pen.beginPath();
      pen.moveTo(...at(event));
      if (field) field.required = false;
    });
    pad.addEventListener("pointermove", (event) => { if (event.buttons) { pen.lineTo(...at(event)); pen.stroke(); } });
    const wipe = pad.parentElement.querySelector("button[data-wipe]");
    wipe.hidden = false;
    wipe.addEventListener("click", () => { pen.clearRect(0, 0, pad.width, pad.height); delete pad.dataset.drawn; });
  }
  return { fields };
})();
