"""Labels of real nodes, as installers and clouds write them; what says nothing of accelerators is left out.

Sources: node dumps in public repositories and documentation of GPU operator, GKE, EKS, AKS, ROCm and Intel.
"""

Labels = dict[str, str]

# A node with one L4; GPU operator's GPU Feature Discovery.
GFD_L4: Labels = {
    "nvidia.com/cuda.driver-version.full": "580.126.16",
    "nvidia.com/cuda.driver-version.major": "580",
    "nvidia.com/cuda.driver-version.minor": "126",
    "nvidia.com/cuda.driver-version.revision": "16",
    "nvidia.com/cuda.driver.major": "580",
    "nvidia.com/cuda.runtime-version.full": "13.0",
    "nvidia.com/cuda.runtime-version.major": "13",
    "nvidia.com/cuda.runtime-version.minor": "0",
    "nvidia.com/gfd.timestamp": "1727461913",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "9",
    "nvidia.com/gpu.count": "1",
    "nvidia.com/gpu.family": "ada-lovelace",
    "nvidia.com/gpu.machine": "Google-Compute-Engine",
    "nvidia.com/gpu.memory": "23034",
    "nvidia.com/gpu.mode": "compute",
    "nvidia.com/gpu.present": "true",
    "nvidia.com/gpu.product": "NVIDIA-L4",
    "nvidia.com/gpu.replicas": "1",
    "nvidia.com/gpu.sharing-strategy": "none",
    "nvidia.com/mig.capable": "false",
    "nvidia.com/mps.capable": "false",
    "nvidia.com/vgpu.present": "false",
}

# The same, shared in time by four.
GFD_TIME_SLICED: Labels = {
    **GFD_L4,
    "nvidia.com/gpu.product": "NVIDIA-L4-SHARED",
    "nvidia.com/gpu.replicas": "4",
    "nvidia.com/gpu.sharing-strategy": "time-slicing",
}
GFD_MPS: Labels = {
    **GFD_L4,
    "nvidia.com/gpu.product": "NVIDIA-L4-SHARED",
    "nvidia.com/gpu.replicas": "8",
    "nvidia.com/gpu.sharing-strategy": "mps",
    "nvidia.com/mps.capable": "true",
}

# An A100 in three kinds of slices, strategy mixed, with the older names of the driver's labels.
GFD_MIG_MIXED: Labels = {
    "nvidia.com/cuda.driver.major": "515",
    "nvidia.com/cuda.driver.minor": "86",
    "nvidia.com/cuda.driver.rev": "01",
    "nvidia.com/cuda.runtime.major": "11",
    "nvidia.com/cuda.runtime.minor": "7",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "0",
    "nvidia.com/gpu.count": "1",
    "nvidia.com/gpu.family": "ampere",
    "nvidia.com/gpu.memory": "81920",
    "nvidia.com/gpu.product": "NVIDIA-A100-80GB-PCIe",
    "nvidia.com/gpu.replicas": "0",
    "nvidia.com/mig-1g.10gb.count": "1",
    "nvidia.com/mig-1g.10gb.memory": "9728",
    "nvidia.com/mig-1g.10gb.multiprocessors": "14",
    "nvidia.com/mig-1g.10gb.product": "NVIDIA-A100-80GB-PCIe-MIG-1g.10gb",
    "nvidia.com/mig-1g.10gb.replicas": "1",
    "nvidia.com/mig-2g.20gb.count": "1",
    "nvidia.com/mig-2g.20gb.memory": "19968",
    "nvidia.com/mig-2g.20gb.product": "NVIDIA-A100-80GB-PCIe-MIG-2g.20gb",
    "nvidia.com/mig-2g.20gb.replicas": "1",
    "nvidia.com/mig-3g.40gb.count": "1",
    "nvidia.com/mig-3g.40gb.memory": "40192",
    "nvidia.com/mig-3g.40gb.product": "NVIDIA-A100-80GB-PCIe-MIG-3g.40gb",
    "nvidia.com/mig-3g.40gb.replicas": "1",
    "nvidia.com/mig.capable": "true",
    "nvidia.com/mig.strategy": "mixed",
}

# The same strategy as an older feature discovery described it: no product of the slices' own.
GFD_MIG_MIXED_OLD: Labels = {
    key: value
    for key, value in GFD_MIG_MIXED.items()
    if not key.startswith("nvidia.com/mig-") or key.endswith((".count", ".multiprocessors"))
}

# Seven equal slices of an A100, strategy single: nvidia.com/gpu is a slice there.
GFD_MIG_SINGLE: Labels = {
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "0",
    "nvidia.com/gpu.count": "7",
    "nvidia.com/gpu.memory": "4864",
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb",
    "nvidia.com/gpu.replicas": "1",
    "nvidia.com/gpu.slices.gi": "1",
    "nvidia.com/gpu.slices.ci": "1",
    "nvidia.com/mig.capable": "true",
    "nvidia.com/mig.strategy": "single",
}

# A node whose driver left the maker out of the name.
GFD_OLD_NAME: Labels = {
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "0",
    "nvidia.com/gpu.count": "8",
    "nvidia.com/gpu.memory": "81251",
    "nvidia.com/gpu.product": "A100-SXM4-80GB",
}

GKE_L4: Labels = {
    "beta.kubernetes.io/instance-type": "g2-standard-8",
    "cloud.google.com/gke-accelerator": "nvidia-l4",
    "cloud.google.com/gke-accelerator-count": "1",
    "cloud.google.com/gke-boot-disk": "pd-balanced",
    "cloud.google.com/gke-gpu": "true",
    "cloud.google.com/gke-gpu-driver-version": "latest",
    "cloud.google.com/gke-nodepool": "l4",
    "node.kubernetes.io/instance-type": "g2-standard-8",
}
GKE_L4_SHARED: Labels = {
    **GKE_L4,
    "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
    "cloud.google.com/gke-max-shared-clients-per-gpu": "4",
}
GKE_A100_SLICED: Labels = {
    "cloud.google.com/gke-accelerator": "nvidia-tesla-a100",
    "cloud.google.com/gke-accelerator-count": "1",
    "cloud.google.com/gke-gpu-partition-size": "1g.5gb",
    "cloud.google.com/gke-nodepool": "a100",
    "node.kubernetes.io/instance-type": "a2-highgpu-1g",
}

# Karpenter on EKS.
EKS_KARPENTER: Labels = {
    "karpenter.k8s.aws/instance-category": "g",
    "karpenter.k8s.aws/instance-family": "g5",
    "karpenter.k8s.aws/instance-gpu-count": "1",
    "karpenter.k8s.aws/instance-gpu-manufacturer": "nvidia",
    "karpenter.k8s.aws/instance-gpu-memory": "22888",
    "karpenter.k8s.aws/instance-gpu-name": "a10g",
    "karpenter.sh/capacity-type": "spot",
    "karpenter.sh/nodepool": "gpus",
    "node.kubernetes.io/instance-type": "g5.2xlarge",
}
EKS_KARPENTER_A100: Labels = {
    **EKS_KARPENTER,
    "karpenter.k8s.aws/instance-family": "p4de",
    "karpenter.k8s.aws/instance-gpu-count": "8",
    "karpenter.k8s.aws/instance-gpu-memory": "81920",
    "karpenter.k8s.aws/instance-gpu-name": "a100",
    "node.kubernetes.io/instance-type": "p4de.24xlarge",
}
EKS_AUTO_MODE: Labels = {
    "eks.amazonaws.com/compute-type": "auto",
    "eks.amazonaws.com/instance-category": "g",
    "eks.amazonaws.com/instance-gpu-count": "1",
    "eks.amazonaws.com/instance-gpu-manufacturer": "nvidia",
    "eks.amazonaws.com/instance-gpu-memory": "45776",
    "eks.amazonaws.com/instance-gpu-name": "l40s",
    "node.kubernetes.io/instance-type": "g6e.xlarge",
}
# A managed node group has the type of the machine alone; for the cluster autoscaler, users add a label.
EKS_NODE_GROUP: Labels = {
    "eks.amazonaws.com/capacityType": "ON_DEMAND",
    "eks.amazonaws.com/nodegroup": "gpu",
    "node.kubernetes.io/instance-type": "p5.48xlarge",
}
EKS_CLUSTER_AUTOSCALER: Labels = {
    "k8s.amazonaws.com/accelerator": "nvidia-tesla-t4",
    "node.kubernetes.io/instance-type": "g4dn.xlarge",
}

# AKS names the maker; the size of the machine names the card.
AKS: Labels = {
    "accelerator": "nvidia",
    "kubernetes.azure.com/accelerator": "nvidia",
    "kubernetes.azure.com/agentpool": "gpunp",
    "node.kubernetes.io/instance-type": "Standard_NC24ads_A100_v4",
}
AKS_KARPENTER: Labels = {
    "karpenter.azure.com/sku-family": "N",
    "karpenter.azure.com/sku-gpu-count": "1",
    "karpenter.azure.com/sku-gpu-manufacturer": "nvidia",
    "karpenter.azure.com/sku-gpu-name": "T4",
    "node.kubernetes.io/instance-type": "Standard_NC4as_T4_v3",
}

# ROCm's node labeller.
AMD_MI300X: Labels = {
    "amd.com/gpu.cu-count": "304",
    "amd.com/gpu.device-id": "74a1",
    "amd.com/gpu.family": "AI",
    "amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM",
    "amd.com/gpu.simd-count": "1216",
    "amd.com/gpu.vram": "192G",
    "beta.amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM",
    "beta.amd.com/gpu.product-name.AMD_Instinct_MI300X_OAM": "8",
}
# Virtual functions have no name (OpenShift, eight of them).
AMD_VIRTUAL: Labels = {
    "amd.com/gpu.cu-count": "304",
    "amd.com/gpu.device-id": "74b5",
    "amd.com/gpu.driver-version": "6.12.12",
    "amd.com/gpu.family": "AI",
    "amd.com/gpu.simd-count": "1216",
    "amd.com/gpu.vram": "191G",
    "beta.amd.com/gpu.cu-count": "304",
    "beta.amd.com/gpu.cu-count.304": "8",
    "beta.amd.com/gpu.device-id": "74b5",
    "beta.amd.com/gpu.device-id.74b5": "8",
    "beta.amd.com/gpu.family": "AI",
    "beta.amd.com/gpu.family.AI": "8",
    "beta.amd.com/gpu.vram": "191G",
    "beta.amd.com/gpu.vram.191G": "8",
}
# The oldest labeller: the value in the key.
AMD_OLD: Labels = {
    "beta.amd.com/gpu.cu-count.104": "1",
    "beta.amd.com/gpu.device-id.740f": "1",
    "beta.amd.com/gpu.family.AI": "1",
    "beta.amd.com/gpu.simd-count.416": "1",
    "beta.amd.com/gpu.vram.64G": "1",
}

INTEL_MAX: Labels = {
    "gpu.intel.com/device.count": "2",
    "gpu.intel.com/device-id.0380-0bd5.count": "2",
    "gpu.intel.com/device-id.0380-0bd5.present": "true",
    "gpu.intel.com/family": "Max_Series",
    "gpu.intel.com/product": "Max_1550",
    "intel.feature.node.kubernetes.io/gpu": "true",
}
INTEL_IGPU: Labels = {
    "gpu.intel.com/device-id.0300-9a78.count": "1",
    "gpu.intel.com/device-id.0300-9a78.present": "true",
    "intel.feature.node.kubernetes.io/gpu": "true",
}
