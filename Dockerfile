# The app on Microsoft's Functions host, without root. For local work and for container hosts;
# Azure's Flex Consumption plan takes the package instead (`make package`).

# The moving tag of host 4: its security updates come with a new build.
ARG BASE=mcr.microsoft.com/azure-functions/python:4-python3.11

FROM ${BASE} AS wheels
WORKDIR /wheels
COPY requirements.txt .
# Compilers and pip's cache, where a library needs them, stay in this stage.
RUN pip wheel --no-cache-dir --wheel-dir . --requirement requirements.txt

FROM ${BASE}
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels --requirement /wheels/requirements.txt
# The host writes below its home and, with keys in files, in its folder Secrets; nowhere else.
RUN useradd --system --uid 10001 --no-create-home scorer \
    && mkdir -p /azure-functions-host/Secrets \
    && chown -R scorer /home /azure-functions-host/Secrets
WORKDIR /home/site/wwwroot
# Owned by root: the app cannot change its own code.
COPY function_app.py host.json ./
COPY scoring scoring
# As on Azure (docs/settings.md): the worker's libraries and ours apart, and no threads of NumPy's.
ENV PYTHON_ISOLATE_WORKER_DEPENDENCIES=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1
ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    AzureFunctionsJobHost__FileWatchingEnabled=false \
    ASPNETCORE_URLS=http://+:8080
USER 10001
# Below 1024 only root may listen.
EXPOSE 8080
# Health answers 503 without a model: such a container is unhealthy, and says so.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/api/health', timeout=8)"]
# The host itself: the image's start script also installs certificates, which takes root.
CMD ["/azure-functions-host/Microsoft.Azure.WebJobs.Script.WebHost"]
