# docker build -t dynred . && docker run --rm -v "$PWD/runs:/runs" dynred
# runs the demo; `docker run --rm -v "$PWD:/work" -w /work dynred reduce my_system.py --latent-dim 3` your own.
FROM python:3.12-slim

WORKDIR /dynred
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt '.[all]'

ENTRYPOINT ["dynred"]
CMD ["reduce", "kuramoto_sivashinsky", "--latent-dim", "8", "--out", "/runs/ks", "--overwrite"]
