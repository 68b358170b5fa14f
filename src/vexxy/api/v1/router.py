"""Every route of version 1."""

from fastapi import APIRouter

from vexxy.api.v1 import (
    api_keys,
    audit,
    auth,
    evidence,
    members,
    notifications,
    organizations,
    sync,
)

router = APIRouter(prefix="/api/v1")
router.include_router(evidence.router)
router.include_router(notifications.router)
router.include_router(auth.router)
router.include_router(api_keys.router)
router.include_router(members.router)
router.include_router(organizations.router)
router.include_router(sync.router)
router.include_router(audit.router)
